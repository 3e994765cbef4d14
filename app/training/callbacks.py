"""Callbacks of a training run: a log of metrics in JSON lines, TensorBoard, a line of progress."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.observability.progress_line import ProgressLine, duration
from app.training.run_folder import storage_errors

_LAST = 3  # losses at the end of a run that are averaged

Figures = Mapping[str, Mapping[str, float]]
"""Result of an evaluation: name of the set -> name of the figure -> value."""


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Progress of a run.

    Args:
        iteration: Iterations done.
        total: Iterations in the run.
        epoch: Epochs done, a fraction.
        loss: Mean since the last report.
        learning_rate: Of the last iteration.
        images_per_second: Photos per second since the last report, in all processes.
        seconds_left: Until the end, without evaluations.
        best: Best mean accuracy on the verification sets; None before the first evaluation.
        damaged: Photos that could not be read so far, in this process.
        theta: Mean angle between a feature and the weight of its class since the last report, in degrees (ArcFace,
            figure 4b); None for a loss without classes.
        target_logit: Mean logit of the own class, with margin and scale, likewise.
    """

    iteration: int
    total: int
    epoch: float
    loss: float
    learning_rate: float
    images_per_second: float
    seconds_left: float = 0.0
    best: float | None = None
    damaged: int = 0
    theta: float | None = None
    target_logit: float | None = None

    @property
    def own_class(self) -> dict[str, float]:
        """Angle and logit by name; empty for a loss without classes."""
        values = {"theta": self.theta, "target_logit": self.target_logit}
        return {name: value for name, value in values.items() if value is not None}


class Callback(Protocol):
    """A listener for the events of a run."""

    def on_step(self, progress: TrainingProgress) -> None:
        """Handle a progress report."""

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """Handle the result of an evaluation."""

    def close(self) -> None:
        """Release files and the terminal."""


class MetricsLog:
    """A log of metrics with one JSON object per line. A resumed run drops the lines after its first iteration.

    All methods raise StorageNotWritable if the disk is full.
    """

    def __init__(self, file: Path, first: int = 0) -> None:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        kept = [line for line in lines if _iteration_of(line) <= first] if first else []
        self._path = file
        with storage_errors(file):
            file.write_text("".join(f"{line}\n" for line in kept), "utf-8")
            self._file = file.open("a", encoding="utf-8")

    def on_step(self, progress: TrainingProgress) -> None:
        """See Callback."""
        self._write(
            {
                "iteration": progress.iteration,
                "epoch": round(progress.epoch, 4),
                "loss": progress.loss,
                "learning_rate": progress.learning_rate,
                "images_per_second": round(progress.images_per_second, 2),
                **progress.own_class,
            }
        )

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """See Callback."""
        self._write({"iteration": iteration, "evaluation": figures})

    def close(self) -> None:
        """See Callback."""
        with storage_errors(self._path):
            self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        with storage_errors(self._path):
            self._file.write(json.dumps({**entry, "time": round(time.time(), 2)}) + "\n")
            self._file.flush()


class TensorBoard:
    """Event files for `tensorboard --logdir`."""

    def __init__(self, folder: Path, first: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import and rarely used

        self._writer = SummaryWriter(str(folder), purge_step=first or None)

    def on_step(self, progress: TrainingProgress) -> None:
        """See Callback."""
        for name in ("loss", "learning_rate", "images_per_second", *progress.own_class):
            self._writer.add_scalar(f"training/{name}", getattr(progress, name), progress.iteration)

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """See Callback."""
        for name, values in figures.items():
            for figure, value in values.items():
                self._writer.add_scalar(f"{name}/{figure}", value, iteration)

    def close(self) -> None:
        """See Callback."""
        self._writer.close()


class ProgressReport:
    """The line of progress of a run: epoch, iteration, speed, loss, best accuracy, time left. Evaluations stay."""

    def __init__(self, line: ProgressLine) -> None:
        self._line = line

    def on_step(self, progress: TrainingProgress) -> None:
        """See Callback."""
        self._line.show(_text_of(progress))

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """See Callback."""
        for name, values in figures.items():
            text = ", ".join(f"{figure} {value:.4f}" for figure, value in values.items())
            self._line.note(f"iteration {iteration}: {name}: {text}")

    def close(self) -> None:
        """See Callback."""
        self._line.clear()


def loss_trend(file: Path) -> tuple[float, float] | None:
    """Return the first loss in a log of metrics and the mean of its last three; None if it has fewer than four."""
    losses = []
    for line in file.read_text("utf-8").splitlines():
        with suppress(ValueError, KeyError, TypeError):
            losses.append(float(json.loads(line)["loss"]))
    return (losses[0], sum(losses[-_LAST:]) / _LAST) if len(losses) > _LAST else None


def _text_of(progress: TrainingProgress) -> str:
    epochs = progress.epoch / progress.iteration * progress.total
    parts = [
        f"epoch {progress.epoch:.1f} of {epochs:.0f}",
        f"iteration {progress.iteration:,} of {progress.total:,}",
        f"{progress.images_per_second:,.0f} photos/s",
        f"loss {progress.loss:.3f}",
        *([f"best accuracy {progress.best:.4f}"] if progress.best is not None else []),
        *([f"{progress.damaged:,} photos damaged"] if progress.damaged else []),
        f"{duration(progress.seconds_left)} left",
    ]
    return ", ".join(parts)


def _iteration_of(line: str) -> float:
    """Return the iteration of a line; infinity for a truncated line."""
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(line)["iteration"])
    return float("inf")
