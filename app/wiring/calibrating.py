"""A collection's own faces in, its calibration out: for the command line and as a job."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from app.config import Settings
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from app.jobs.progress import Parameters, Progress, Result, Work
from app.recognition.decisions.calibration.error_rates import Calibration, as_json
from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.model_registry import Serving
from app.types import Floats
from app.vision.inference.packs import Packs
from app.wiring.models import calibration_origin, open_calibrations

_SHOWN_RATES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def enrolled(
    store: IdentityStore, collection: Collection, told: Callable[[int], None] = lambda _: None
) -> tuple[Floats, Floats, list[str]]:
    """Return the vectors of a collection, their norms and whose they are; `told` how many have been read."""
    vectors, norms, people = [np.empty((0, collection.dimension), np.float32)], [np.empty(0, np.float32)], []
    for keys, block in store.templates(collection):
        owners = store.owners(keys.tolist())
        there = [(at, owners[key]) for at, key in enumerate(keys.tolist()) if key in owners]  # others are gone by now
        vectors.append(block[[at for at, _ in there]])
        norms.append(np.array([owner.norm for _, owner in there], np.float32))
        people += [owner.identity_id for _, owner in there]
        told(len(people))
    return np.concatenate(vectors), np.concatenate(norms), people


def write(made: Calibration, path: Path) -> None:
    """Write a calibration for running services to use at once: they never see half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coming = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        coming.write_bytes(as_json(made))
        coming.replace(path)
    except OSError:
        coming.unlink(missing_ok=True)
        raise


def calibration_work(settings: Settings, packs: Packs, serving: Serving, store: IdentityStore) -> Work:
    """Return the kind of job that calibrates a collection."""

    def work(parameters: Parameters, progress: Progress) -> Result:
        collection = store.collection(parameters["collection"])
        progress.advance(0, total=collection.faces)
        network, detector = serving.of(collection), collection.practice.detector
        is_flip_averaged = collection.practice.is_flip_averaged
        origin = calibration_origin(
            settings,
            packs,
            f"collection {collection.name}",
            is_flip_averaged=is_flip_averaged,
            network=network,
            detector=detector,
        )
        vectors, norms, people = enrolled(store, collection, progress.advance)
        made = calibrate(vectors, people, origin, norms=norms)
        progress.advance(len(people))
        calibrations = open_calibrations(settings, packs, network, detector)
        write(made, calibrations.path_of(collection.name, is_flip_averaged=is_flip_averaged))
        return _described(made)

    return work


def _described(made: Calibration) -> dict[str, Any]:
    origin = made.origin
    thresholds = {f"{rate:g}": round(float(made.threshold(rate)), 4) for rate in _SHOWN_RATES}
    return {"people": origin.people, "faces": origin.faces, "pairs": origin.pairs, "thresholds": thresholds}
