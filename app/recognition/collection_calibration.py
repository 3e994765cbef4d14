"""Calibration of a collection from its own faces, and the file that a running service reads it from."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import numpy as np

from app.disk import make_folder, rename, sync_file
from app.gallery.gallery import Gallery
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin, as_json, scoring_of
from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.model_registry import ModelRegistry, ServedModel
from app.types import Floats


class OriginOf(Protocol):
    """Returns the origin of a calibration of a network with a detector, before anything is counted."""

    def __call__(
        self, network: ServedModel, detector: str | None = None, source: str = "", *, is_flip_averaged: bool
    ) -> CalibrationOrigin:
        """See above."""


class CalibrationService:
    """See `calibrate`."""

    def __init__(self, gallery: Gallery, store: IdentityStore, registry: ModelRegistry, origin_of: OriginOf) -> None:
        self._gallery = gallery
        self._store = store
        self._registry = registry
        self._origin_of = origin_of

    def calibrate(
        self, name: str, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> tuple[Calibration, Path]:
        """Return the calibration of a collection's faces, and the file from which its decisions read it.

        `on_progress` gets the numbers of faces read and of all faces. Raises CollectionUnknown,
        ModelMismatch if its network is not served, and CalibrationTooSmall if it has too few people.
        """
        collection = self._gallery.require(name)
        on_progress(0, collection.faces)
        network, detector = self._registry.of(collection), collection.settings.detector
        is_flip_averaged = collection.settings.is_flip_averaged
        origin = self._origin_of(network, detector, f"collection {name}", is_flip_averaged=is_flip_averaged)
        vectors, norms, people = self._enrolled(collection, on_progress)
        files = self._registry.calibrations(network, detector)
        shipped = files.shipped(is_flip_averaged=is_flip_averaged)
        scoring = scoring_of(shipped) if shipped is not None and shipped.mean is not None else None
        calibration = calibrate(vectors, people, origin, norms=norms, scoring=scoring)
        path = files.path_of(name, is_flip_averaged=is_flip_averaged)
        return calibration, path

    def _enrolled(
        self, collection: Collection, on_progress: Callable[[int, int], None]
    ) -> tuple[Floats, Floats, list[str]]:
        """Return the vectors of a collection's faces, their norms and the ids of their people."""
        vectors, norms, people = [np.empty((0, collection.dimension), np.float32)], [np.empty(0, np.float32)], []
        for keys, block, _ in self._store.templates(collection):
            owners = self._store.owners(keys.tolist())
            # A face without an owner was deleted after its template was read.
            owned = [(place, owners[key]) for place, key in enumerate(keys.tolist()) if key in owners]
            vectors.append(block[[place for place, _ in owned]])
            norms.append(np.array([owner.norm for _, owner in owned], np.float32))
            people += [owner.identity_id for _, owner in owned]
            on_progress(len(people), collection.faces)
        return np.concatenate(vectors), np.concatenate(norms), people


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration in one step, so that running services never read half of it."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        temporary.write_bytes(as_json(calibration))
        sync_file(temporary)
        rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
