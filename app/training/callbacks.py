"""Callbacks of a training run: a log of metrics in JSON lines, TensorBoard, a progress bar."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import rich.progress
from rich.console import Console

Figures = Mapping[str, Mapping[str, float]]
"""Result of an evaluation: name of the set -> name of the figure -> value."""


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Progress of a run: iterations done and in total, mean loss since the last report, photos per second."""

    iteration: int
    total: int
    epoch: float
    loss: float
    learning_rate: float
    images_per_second: float


class Callback(Protocol):
    """A listener for the events of a run."""

    def on_step(self, progress: TrainingProgress) -> None:
        """Handle a progress report."""

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """Handle the result of an evaluation."""

    def close(self) -> None:
        """Release files and the terminal."""


class MetricsLog:
    """A log of metrics with one JSON object per line. A resumed run drops the lines after its first iteration."""

    def __init__(self, file: Path, first: int = 0) -> None:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        kept = [line for line in lines if _iteration_of(line) <= first] if first else []
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
            }
        )

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """See Callback."""
        self._write({"iteration": iteration, "evaluation": figures})

    def close(self) -> None:
        """See Callback."""
        self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps({**entry, "time": round(time.time(), 2)}) + "\n")
        self._file.flush()


class TensorBoard:
    """Event files for `tensorboard --logdir`."""

    def __init__(self, folder: Path, first: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import and rarely used

        self._writer = SummaryWriter(str(folder), purge_step=first or None)

    def on_step(self, progress: TrainingProgress) -> None:
        """See Callback."""
        for name in ("loss", "learning_rate", "images_per_second"):
            self._writer.add_scalar(f"training/{name}", getattr(progress, name), progress.iteration)

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """See Callback."""
        for name, values in figures.items():
            for figure, value in values.items():
                self._writer.add_scalar(f"{name}/{figure}", value, iteration)

    def close(self) -> None:
        """See Callback."""
        self._writer.close()


class ProgressBar:
    """A progress bar with loss, speed and remaining time. Evaluations are printed above it."""

    def __init__(self, console: Console) -> None:
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("training", total=None)
        self._bar.start()

    def on_step(self, progress: TrainingProgress) -> None:
        """See Callback."""
        text = f"loss {progress.loss:.3f}, {progress.images_per_second:.0f} images/s"
        self._bar.update(self._task, completed=progress.iteration, total=progress.total, description=text)

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """See Callback."""
        for name, values in figures.items():
            text = ", ".join(f"{figure} {value:.4f}" for figure, value in values.items())
            self._bar.console.print(f"iteration {iteration}: {name}: {text}", markup=False, highlight=False)

    def close(self) -> None:
        """See Callback."""
        self._bar.stop()


def _iteration_of(line: str) -> float:
    """Return the iteration of a line; infinity for a truncated line."""
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(line)["iteration"])
    return float("inf")
