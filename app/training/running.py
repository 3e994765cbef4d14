"""A training run from its configuration: open the data, train, write the results to a folder."""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from rich.console import Console

from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.observability.counted import counted
from app.observability.printable import cell
from app.observability.progress_line import ProgressLine
from app.training.callbacks import Callback, MetricsLog, ProgressReport, TensorBoard, loss_trend
from app.training.checkpoint import LAST, load, require_new_run
from app.training.config import CONFIG, TeacherNetwork, TrainingConfig
from app.training.data.damage import require_few_damaged
from app.training.data.opening import Dataset, OpenCropper, open_data
from app.training.data.source import CropSource
from app.training.distillation.loss import DistillationLoss
from app.training.distillation.projection import fit_projection
from app.training.distillation.unlabelled import open_unlabelled
from app.training.distributed import DistributedContext, distributed_context
from app.training.evaluating import CropPairs, read_crop_pairs
from app.training.learner import Learner, build_learner
from app.training.loop import RunContext, Training
from app.training.preflight import check_config, computes_bf16, warnings_of
from app.training.run_folder import make_run_folder, storage_errors
from app.types import Floats

Teach = Callable[[TeacherNetwork, CropSource, Advance], Floats]
"""The teacher's flip-averaged unit embeddings (n, d) of all crops of a data set."""

METRICS, WITHOUT_FACE, DAMAGED = "metrics.jsonl", "without_face.csv", "damaged.csv"


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
    the main one prints. `teach` is needed by a run with a teacher. Raises TrainingError's children if the run fails.
    """
    last = out / LAST
    check_config(config)
    make_run_folder(out)
    if not is_resumed:
        require_new_run(out)
    with distributed_context(config.machine) as distributed:
        if not distributed.is_main:
            console.quiet = True
        line = ProgressLine(console)
        sets = _read_sets(config, open_cropper, line) if distributed.is_main else []
        dataset = _open_dataset(config, open_cropper, distributed, line)
        _require_readable(dataset, config, out / DAMAGED, distributed, line)
        learner = _student(config, dataset.source, teach, distributed, line)
        first = load(last)["iteration"] if last.exists() else 0
        with _callbacks(config, out, distributed, first=first, line=line) as callbacks:
            context = RunContext(out, distributed, callbacks, sets, is_stopping, line.counting)
            training = Training(config, dataset.source, context, learner)
            if last.exists():
                training.resume(last)
            if distributed.is_main:
                _write_start(config, dataset, out, line)
            _run(training, context, dataset.damaged, line)
        if training.iteration == training.total and distributed.is_main:
            _warn_of_loss(config, out / METRICS, line)
    return training


def _write_start(config: TrainingConfig, dataset: Dataset, out: Path, line: ProgressLine) -> None:
    """Write the configuration and the list of photos without a face."""
    with storage_errors(out / CONFIG):
        (out / CONFIG).write_text(config.to_toml(), "utf-8")
    _report_photos(dataset.failures, out / WITHOUT_FACE, line, "have no face and are left out", "code")


def _require_readable(
    dataset: Dataset, config: TrainingConfig, file: Path, distributed: DistributedContext, line: ProgressLine
) -> None:
    """List the photos that could not be aligned because they cannot be read.

    Raises PhotosDamaged if they are more than `data.max_damaged` allows.
    """
    if distributed.is_main:
        _report_photos(dataset.damaged, file, line, "cannot be read and are left out", "reason")
    if dataset.damaged:
        last = list(dataset.damaged.values())[-1]
        require_few_damaged(len(dataset.damaged), dataset.photos, config.data.max_damaged, last)


def _run(training: Training, context: RunContext, damaged: Mapping[str, str], line: ProgressLine) -> None:
    """Train, and then add the damaged crops to the damaged photos in the list, also if the run fails."""
    if training.iteration == training.total:
        line.note(f"the run is complete: {counted(training.total, 'iteration')}; for more, start a new run with --from")
        return
    line.note(f"training: {training.total - training.iteration:,} iterations on {context.distributed.device}")
    try:
        training.run()
    finally:
        if context.distributed.is_main and training.damaged:
            reasons = {**damaged, **training.damaged}
            _report_photos(reasons, context.out / DAMAGED, line, "cannot be read and were skipped", "reason")


def _open_dataset(
    config: TrainingConfig, open_cropper: OpenCropper, distributed: DistributedContext, line: ProgressLine
) -> Dataset:
    open_source = open_data if config.teacher is None else open_unlabelled
    with distributed.main_process_first(), line.counting("photos") as advance:
        dataset = open_source(config.data, open_cropper, advance)
    photos, people = len(dataset.source.labels), len(dataset.source.classes)
    line.note(f"{photos:,} photos of {people:,} people" if people else f"{photos:,} photos")
    warnings = warnings_of(
        config,
        dataset.source.labels,
        has_bf16=computes_bf16(distributed.device),
        processes=distributed.world_size,
    )
    for text in [*dataset.warnings, *warnings]:
        line.note(f"warning: {text}")
    return dataset


def _student(
    config: TrainingConfig,
    source: CropSource,
    teach: Teach | None,
    distributed: DistributedContext,
    line: ProgressLine,
) -> Learner | None:
    """Build the learner of a distillation, with the teacher's embeddings of all photos; None without a teacher."""
    if config.teacher is None:
        return None
    learner = build_learner(config, 0)
    if teach is None or not isinstance(learner.loss, DistillationLoss):
        raise TrainingInvalid("this run has a teacher; continue it with arcid train --resume")
    with distributed.main_process_first(), line.counting("teacher", len(source.labels)) as advance:
        targets = teach(config.teacher, source, advance)
    learner.loss.set_targets(torch.from_numpy(targets))
    if config.teacher.cosine:
        fit_projection(learner.backbone, source, targets)  # a resumed run replaces it
    return learner


def _read_sets(config: TrainingConfig, open_cropper: OpenCropper, line: ProgressLine) -> list[CropPairs]:
    sets = []
    for pairs in config.evaluation.sets:
        with line.counting(f"photos of {pairs.name}") as advance:
            sets.append(read_crop_pairs(pairs, None if pairs.aligned else open_cropper(), advance))
    return sets


@contextmanager
def _callbacks(
    config: TrainingConfig, out: Path, distributed: DistributedContext, *, first: int, line: ProgressLine
) -> Iterator[list[Callback]]:
    """Open the callbacks in the main process; the other processes have none."""
    callbacks: list[Callback] = []
    with ExitStack() as closing:
        if distributed.is_main:
            callbacks += [MetricsLog(out / METRICS, first), ProgressReport(line)]
        if distributed.is_main and config.keeping.tensorboard:
            callbacks.append(TensorBoard(out / "tensorboard", first))
        for callback in callbacks:
            closing.callback(callback.close)
        yield callbacks


def _report_photos(reasons: Mapping[str, str], file: Path, line: ProgressLine, what: str, column: str) -> None:
    """Write the photos and why they are left out to a CSV file, if there are any."""
    if not reasons:
        return
    with storage_errors(file), file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(map(cell, row) for row in [("photo", column), *reasons.items()])
    line.note(f"photos that {what}: {len(reasons):,}, listed in {file}")


def _warn_of_loss(config: TrainingConfig, metrics: Path, line: ProgressLine) -> None:
    """Warn if the loss rose. The one of SphereFace does: its margin grows during the run."""
    trend = loss_trend(metrics)
    if config.loss.name == "sphereface" or trend is None or trend[1] <= trend[0]:
        return
    line.note(
        f"warning: the loss ended at {trend[1]:.3f}, above its start at {trend[0]:.3f}: the network did not learn; "
        "lower schedule.learning_rate, loss.margin or loss.scale, or raise schedule.warm_up"
    )
