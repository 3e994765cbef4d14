"""`arcid calibrate`: error rates for the network in use, from a gallery or from a folder of people."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track
from rich.table import Table

from app.cli.output import Console, show
from app.config import Settings, read_settings
from app.errors import ModelMismatch, PhotoRefused, SettingsInvalid
from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.error_rates import Calibration
from app.recognition.decisions.calibration.fit import calibrate as fit
from app.recognition.model_registry import Served
from app.types import Floats
from app.vision.inference.packs import Packs
from app.wiring.calibrating import enrolled, write
from app.wiring.models import calibration_origin, open_calibrations, served_by
from app.wiring.services import open_analysis, open_packs, open_runtime, open_store

_SHOWN_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def calibrate(
    *,
    collection: Annotated[
        str | None, typer.Option(help="Calibrate from this collection's faces; the service uses it for it at once.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Calibrate from a folder person/photo.jpg instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write here instead.")] = None,
) -> None:
    """Measure how similar different people are, and write a calibration for the network in use."""
    settings = read_settings()
    if (collection is None) == (images is None):
        raise SettingsInvalid("give either --collection or --images")
    if images is not None and out is None:
        raise SettingsInvalid("--images needs --out, a folder or a file")
    packs = open_packs(settings)
    is_flip_averaged, network, detector = settings.inference.flip, None, None
    if collection is not None:
        store = open_store(settings)
        found = store.collection(collection)
        is_flip_averaged, detector = found.practice.is_flip_averaged, found.practice.detector
        network = _network_of(settings, packs, found)
        vectors, norms, people = enrolled(store, found)
    else:
        vectors, norms, people = _photographed(settings, images or Path())
    source = f"collection {collection}" if collection is not None else "a folder of photos"
    origin = calibration_origin(
        settings, packs, source, is_flip_averaged=is_flip_averaged, network=network, detector=detector
    )
    made = fit(vectors, people, origin, norms=norms)
    own = open_calibrations(settings, packs, network, detector).path_of(
        collection or "", is_flip_averaged=is_flip_averaged
    )
    path = own if out is None else (out / own.name if out.is_dir() else out)
    write(made, path)
    _print(made)
    Console().print(f"written to {path}", highlight=False, soft_wrap=True)


def _network_of(settings: Settings, packs: Packs, collection: Collection) -> Served:
    for each in served_by(settings, packs):
        if each.model == collection.model:
            return each
    raise ModelMismatch(
        f"collection {collection.name!r} is of {collection.model}; name its pack in ARCID_PACK or ARCID_PACKS"
    )


def _photographed(settings: Settings, folder: Path) -> tuple[Floats, Floats, list[str]]:
    """Return the vector of the main face of every photo, its norm and the name of the folder that it lies in."""
    analysis = open_analysis(settings, open_runtime(settings))
    paths = sorted(path for path in folder.glob("*/*") if path.is_file())

    def embedded(path: Path) -> tuple[Floats, float, str] | None:
        try:
            faces = analysis.analyse(path.read_bytes(), is_flip_averaged=settings.inference.flip, most=1)
        except PhotoRefused:
            return None
        return (faces[0].vector, faces[0].norm, path.parent.name) if faces else None

    with ThreadPoolExecutor(settings.inference.concurrency or os.cpu_count()) as pool:
        done = track(pool.map(embedded, paths), "photos", total=len(paths), console=Console(stderr=True))
        found = [each for each in done if each is not None]
    vectors, norms = (np.array([each[part] for each in found], np.float32) for part in (0, 1))
    return vectors, norms, [name for *_, name in found]


def _print(made: Calibration) -> None:
    origin = made.origin
    Console().print(
        f"{origin.model}, {origin.detector}: {origin.people:,} people, {origin.faces:,} faces, {origin.pairs:,} pairs"
        " of different people",
        highlight=False,
    )
    table = Table("FMR", "similarity", "in doubt between", box=None)
    for rate in _SHOWN_RATES:
        low, high = made.doubt(rate)
        table.add_row(f"{rate:g}", f"{made.threshold(rate):.3f}", f"{low:.3f} and {high:.3f}")
    show(table)
