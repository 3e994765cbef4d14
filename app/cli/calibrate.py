"""`arcid calibrate`: error rates for the network in use, from a gallery or from a folder of people."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.cli.output import show
from app.config import Settings, read_settings
from app.errors import PhotoRefused, SettingsInvalid
from app.faces import Floats
from app.factory.services import (
    calibration_origin,
    open_analysis,
    open_calibrations,
    open_packs,
    open_runtime,
    open_store,
)
from app.recognition.calibration import Calibration, as_json
from app.recognition.calibration_fit import calibrate as fit

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
    is_flip_averaged = settings.inference.flip
    if collection is not None:
        is_flip_averaged = open_store(settings).collection(collection).practice.is_flip_averaged
        vectors, norms, people = _enrolled(settings, collection)
    else:
        vectors, norms, people = _photographed(settings, images or Path())
    source = f"collection {collection}" if collection is not None else "a folder of photos"
    origin = calibration_origin(settings, packs, source, is_flip_averaged=is_flip_averaged)
    made = fit(vectors, people, origin, norms=norms)
    own = open_calibrations(settings, packs).path_of(collection or "", is_flip_averaged=is_flip_averaged)
    path = own if out is None else (out / own.name if out.is_dir() else out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_json(made))
    _print(made)
    Console().print(f"written to {path}", highlight=False, soft_wrap=True)


def _enrolled(settings: Settings, name: str) -> tuple[Floats, Floats, list[str]]:
    """Return the vectors of a collection, their norms and whose they are."""
    store = open_store(settings)
    found = store.collection(name)
    vectors, norms, people = [np.empty((0, found.dimension), np.float32)], [np.empty(0, np.float32)], []
    for keys, block in store.templates(found):
        owners = store.owners(keys.tolist())
        vectors.append(block)
        norms.append(np.array([owners[key].norm for key in keys.tolist()], np.float32))
        people += [owners[key].identity_id for key in keys.tolist()]
    return np.concatenate(vectors), np.concatenate(norms), people


def _photographed(settings: Settings, folder: Path) -> tuple[Floats, Floats, list[str]]:
    """Return the vector of the main face of every photo, its norm and the name of the folder that it lies in."""
    analysis = open_analysis(settings, open_runtime(settings))
    paths = sorted(path for path in folder.glob("*/*") if path.is_file())

    def embedded(path: Path) -> tuple[Floats, float, str] | None:
        try:
            faces = analysis.analyse(path.read_bytes(), is_flip_averaged=settings.inference.flip)
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
