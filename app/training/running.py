"""A training run from its configuration: open the data, train, write the results to a folder."""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import rich.progress
import torch
from rich.console import Console

from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.observability.printable import cell
from app.training.callbacks import Callback, MetricsLog, ProgressBar, TensorBoard
from app.training.checkpoint import CONFIG, LAST, load
from app.training.config import TeacherNetwork, TrainingConfig
from app.training.data.opening import Dataset, OpenCropper, open_data
from app.training.data.source import CropSource
from app.training.distillation.loss import DistillationLoss
from app.training.distillation.unlabelled import open_unlabelled
from app.training.distributed import DistributedContext, distributed_context
from app.training.evaluating import CropPairs, read_crop_pairs
from app.training.learner import Learner, build_learner
from app.training.loop import RunContext, Training
from app.types import Floats

Teach = Callable[[TeacherNetwork, CropSource, Advance], Floats]
"""The teacher's flip-averaged unit embeddings (n, d) of all crops of a data set."""

METRICS, WITHOUT_FACE = "metrics.jsonl", "without_face.csv"


def train(
    config: TrainingConfig,
    out: Path,
    *,
    open_cropper: OpenCropper,
    console: Console,
    teach: Teach | None = None,
    is_resumed: bool = False,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Training:
    """Train until the end or until `is_stopping` returns true, and write all results to the folder `out`.

    With `is_resumed`, training continues from the last checkpoint in `out`, if there is one. Of several processes, only
    the main one prints. `teach` is needed by a run with a teacher. Raises TrainingError's children.
    """
    last = out / LAST
    if last.exists() and not is_resumed:
        raise TrainingInvalid(f"{out} already contains a run; continue it with --resume, or choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    with distributed_context(config.machine) as distributed:
        if not distributed.is_main:
            console.quiet = True
        dataset = _open_dataset(config, open_cropper, distributed, console)
        sets = _read_sets(config, open_cropper) if distributed.is_main else []
        learner = _student(config, dataset.source, teach, distributed, console) if config.teacher else None
        first = load(last)["iteration"] if last.exists() else 0
        with _callbacks(config, out, distributed, first=first, console=console) as callbacks:
            context = RunContext(out, distributed, callbacks, sets, is_stopping)
            training = Training(config, dataset.source, context, learner)
            if last.exists():
                training.resume(last)
            if distributed.is_main:
                (out / CONFIG).write_text(config.to_toml(), "utf-8")
                _report_failures(dataset.failures, out / WITHOUT_FACE, console)
            training.run()
    return training


def _open_dataset(
    config: TrainingConfig, open_cropper: OpenCropper, distributed: DistributedContext, console: Console
) -> Dataset:
    with distributed.main_process_first(), rich.progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task("photos", total=None)
        open_source = open_data if config.teacher is None else open_unlabelled
        dataset = open_source(config.data, open_cropper, partial(bar.advance, task))
    photos, people = len(dataset.source.labels), len(dataset.source.classes)
    console.print(f"{photos:,} photos of {people:,} people" if people else f"{photos:,} photos", highlight=False)
    return dataset


def _student(
    config: TrainingConfig,
    source: CropSource,
    teach: Teach | None,
    distributed: DistributedContext,
    console: Console,
) -> Learner:
    """Build the learner of a distillation, with the teacher's embeddings of all photos."""
    learner = build_learner(config, 0)
    if config.teacher is None or teach is None or not isinstance(learner.loss, DistillationLoss):
        raise TrainingInvalid("this run has a teacher; continue it with arcid train --resume")
    with distributed.main_process_first(), rich.progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task("teacher", total=len(source.labels))
        learner.loss.set_targets(torch.from_numpy(teach(config.teacher, source, partial(bar.advance, task))))
    return learner


def _read_sets(config: TrainingConfig, open_cropper: OpenCropper) -> list[CropPairs]:
    sets = config.evaluation.sets
    return [read_crop_pairs(pairs, None if pairs.aligned else open_cropper()) for pairs in sets]


@contextmanager
def _callbacks(
    config: TrainingConfig, out: Path, distributed: DistributedContext, *, first: int, console: Console
) -> Iterator[list[Callback]]:
    """Open the callbacks in the main process; the other processes have none."""
    callbacks: list[Callback] = []
    if distributed.is_main:
        callbacks = [MetricsLog(out / METRICS, first), ProgressBar(console)]
        if config.keeping.tensorboard:
            callbacks.append(TensorBoard(out / "tensorboard", first))
    try:
        yield callbacks
    finally:
        for callback in callbacks:
            callback.close()


def _report_failures(failures: Mapping[str, str], file: Path, console: Console) -> None:
    if not failures:
        return
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(map(cell, row) for row in [("photo", "code"), *failures.items()])
    console.print(f"{len(failures)} photos without a face are left out: {file}", highlight=False, soft_wrap=True)
