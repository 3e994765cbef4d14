"""A configuration and a folder in, a trained network out."""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import rich.progress
from rich.console import Console

from app.errors import TrainingInvalid
from app.observability.printable import cell
from app.training.checkpoint import CONFIG, LAST, load
from app.training.config import TrainingConfig
from app.training.data.opening import OpenCutter, Opened, open_data
from app.training.distributed import Place, placed
from app.training.evaluating import PairsOfCrops, read_set
from app.training.loop import Surroundings, Training
from app.training.watching import Bar, Journal, TensorBoard, Watcher

METRICS, WITHOUT_FACE = "metrics.jsonl", "without_face.csv"


def train(
    config: TrainingConfig,
    out: Path,
    *,
    open_cutter: OpenCutter,
    console: Console,
    is_resumed: bool = False,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Training:
    """Train until the end or until it shall stop; everything is written to `out`.

    With `is_resumed` it goes on from the last checkpoint there, if there is one. Of several processes all but the first
    become quiet. Raises TrainingError's children.
    """
    last = out / LAST
    if last.exists() and not is_resumed:
        raise TrainingInvalid(f"{out} holds a run already; --resume goes on with it, or choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    with placed(config.machine) as place:
        if not place.is_first:
            console.quiet = True
        opened = _opened(config, open_cutter, place, console)
        sets = _sets(config, open_cutter) if place.is_first else []
        first = load(last)["iteration"] if last.exists() else 0
        with _watchers(config, out, place, first=first, console=console) as watchers:
            around = Surroundings(out, place, watchers, sets, is_stopping)
            training = Training(config, opened.source, around)
            if last.exists():
                training.resume(last)
            if place.is_first:
                (out / CONFIG).write_text(config.to_toml(), "utf-8")
                _note(opened.failures, out / WITHOUT_FACE, console)
            training.run()
    return training


def _opened(config: TrainingConfig, open_cutter: OpenCutter, place: Place, console: Console) -> Opened:
    with place.first_alone(), rich.progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task("photos", total=None)
        opened = open_data(config.data, open_cutter, partial(bar.advance, task))
    photos, people = len(opened.source.labels), len(opened.source.classes)
    console.print(f"{photos:,} photos of {people:,} people", highlight=False)
    return opened


def _sets(config: TrainingConfig, open_cutter: OpenCutter) -> list[PairsOfCrops]:
    return [read_set(each, None if each.aligned else open_cutter()) for each in config.evaluation.sets]


@contextmanager
def _watchers(
    config: TrainingConfig, out: Path, place: Place, *, first: int, console: Console
) -> Iterator[list[Watcher]]:
    """Open what follows the run, in the first process only."""
    watchers: list[Watcher] = []
    if place.is_first:
        watchers = [Journal(out / METRICS, first), Bar(console)]
        if config.keeping.tensorboard:
            watchers.append(TensorBoard(out / "tensorboard", first))
    try:
        yield watchers
    finally:
        for each in watchers:
            each.close()


def _note(failures: Mapping[str, str], file: Path, console: Console) -> None:
    if not failures:
        return
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(map(cell, row) for row in [("photo", "code"), *failures.items()])
    console.print(f"{len(failures)} photos without a face are left out: {file}", highlight=False, soft_wrap=True)
