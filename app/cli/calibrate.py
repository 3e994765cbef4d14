"""`arcid calibrate`: measure error rates of the network in use, from a gallery or a folder of people."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track
from rich.table import Table

from app.cli.default_collection import ensure_default
from app.cli.output import Console, show
from app.config import read_settings
from app.container import Container
from app.errors import CalibrationTooSmall, PhotoRefused, SettingsInvalid
from app.observability.counted import counted
from app.recognition.collection_calibration import write_calibration
from app.recognition.decisions.calibration.error_rates import Calibration
from app.recognition.decisions.calibration.fit import calibrate as fit
from app.recognition.decisions.threshold_curve import curve_of
from app.types import Floats
from app.wiring.batching import threads_of

_SOURCE = "a folder of photos"
_SHOWN_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


cli = typer.Typer(help="Measure how similar different people are, and write a calibration for the network in use.")


@cli.callback(invoke_without_command=True)
def calibrate(
    context: typer.Context,
    *,
    collection: Annotated[
        str | None,
        typer.Option(help="Calibrate from this collection's faces; the service applies the result to it at once."),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Calibrate from a folder person/photo.jpg instead.")] = None,
    source: Annotated[str, typer.Option(help="Origin of the photos of --images, as answers state it.")] = _SOURCE,
    out: Annotated[Path | None, typer.Option(help="Write the calibration to this file instead.")] = None,
) -> None:
    """Measure how similar different people are, and write a calibration for the network in use.

    A collection of 20 to about 450 people adapts the shipped calibration instead.
    """
    if context.invoked_subcommand is not None:
        return
    if (collection is None) == (images is None):
        raise SettingsInvalid("give either --collection or --images")
    if images is not None and out is None:
        raise SettingsInvalid("--images needs --out, a folder or a file")
    with Container(read_settings()) as container:
        if collection is not None:
            ensure_default(container, collection)
            try:
                made, own = container.calibration.calibrate(collection)
            except CalibrationTooSmall:
                if out is not None or not _adapt(container, collection):
                    raise
                return
        else:
            made, own = _of_photos(container, images or Path(), source)
    path = own if out is None else (out / own.name if out.is_dir() else out)
    write_calibration(made, path)
    _print(made)
    Console().print(f"written to {path}", highlight=False, soft_wrap=True)


def _adapt(container: Container, collection: str) -> bool:
    """Adapt the calibration of a collection that is too small for its own; return whether it has enough people."""
    container.adaptive_calibration.adapt_at_once(collection)
    registry, current = container.registry, container.store.collection(collection)
    curve = curve_of(current, registry.policy_of(current), registry.fitted_policy_of(current))
    move, population = curve.move, curve.population
    if move is None or population is None or population.adapted is None:
        return False
    Console().print(
        f"{collection}: too few people for its own calibration; adapted the one of {population.source} "
        f"({counted(population.people, 'person', 'people')}) to "
        f"{counted(population.adapted.people, 'person', 'people')} and {counted(move.probes, 'probe')} "
        f"(version {population.adapted.version})",
        highlight=False,
        soft_wrap=True,
    )
    table = Table("shift", "stretch", "threshold at FMR 1e-4", "before", box=None)
    numbers = f"{move.shift:+.3f}", f"{move.stretch:.3f}", f"{move.threshold_after:.3f}", f"{move.threshold_before:.3f}"
    table.add_row(*numbers)
    show(table)
    return True


def _of_photos(container: Container, folder: Path, source: str) -> tuple[Calibration, Path]:
    """Return a calibration from a folder of people, and the path where a pack ships its calibration."""
    models, is_flip_averaged = container.models, container.settings.inference.flip
    vectors, norms, people = _photographed(container, folder)
    origin = models.origin(models.served[0], source=source, is_flip_averaged=is_flip_averaged)
    path = models.calibrations(models.served[0]).path_of("", is_flip_averaged=is_flip_averaged)
    return fit(vectors, people, origin, norms=norms), path


def _photographed(container: Container, folder: Path) -> tuple[Floats, Floats, list[str]]:
    """Return the vectors of the main faces of all photos, their norms and the names of the photos' folders."""
    analysis, is_flip_averaged = container.models.default_analysis(), container.settings.inference.flip
    paths = sorted(path for path in folder.glob("*/*") if path.is_file())

    def embedded(path: Path) -> tuple[Floats, float, str] | None:
        try:
            faces = analysis.analyse(path.read_bytes(), is_flip_averaged=is_flip_averaged, most=1)
        except PhotoRefused:
            return None
        return (faces[0].vector, faces[0].norm, path.parent.name) if faces else None

    with ThreadPoolExecutor(threads_of(container.settings)) as pool:
        results = track(pool.map(embedded, paths), "photos", total=len(paths), console=Console(stderr=True))
        faces = [result for result in results if result is not None]
    vectors, norms = (np.array([face[part] for face in faces], np.float32) for part in (0, 1))
    return vectors, norms, [name for *_, name in faces]


def _print(made: Calibration) -> None:
    origin = made.origin
    Console().print(
        f"{origin.model}, {origin.detector}: {counted(origin.people, 'person', 'people')}, "
        f"{counted(origin.faces, 'face')}, {counted(origin.pairs, 'pair')}"
        " of different people",
        highlight=False,
    )
    table = Table("FMR", "similarity", "in doubt between", box=None)
    for rate in _SHOWN_RATES:
        low, high = made.doubt(rate)
        table.add_row(f"{rate:g}", f"{made.threshold(rate):.3f}", f"{low:.3f} and {high:.3f}")
    show(table)
