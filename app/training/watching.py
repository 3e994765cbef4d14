"""How a run is followed: a line of JSON for every so many iterations, TensorBoard, a progress bar."""

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
"""What an evaluation gave: for each set its figures by name."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: iterations done of how many, the mean loss since the last report, photos a second."""

    iteration: int
    total: int
    epoch: float
    loss: float
    learning_rate: float
    images_per_second: float


class Watcher(Protocol):
    """Is told what happens."""

    def stepped(self, progress: Progress) -> None:
        """Take note of where the run is."""

    def evaluated(self, iteration: int, figures: Figures) -> None:
        """Take note of an evaluation."""

    def close(self) -> None:
        """End."""


class Journal:
    """A file with one JSON object a line. Lines beyond the iteration from which a run goes on are taken out."""

    def __init__(self, file: Path, first: int = 0) -> None:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        kept = [line for line in lines if _iteration_of(line) <= first] if first else []
        file.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        self._file = file.open("a", encoding="utf-8")

    def stepped(self, progress: Progress) -> None:
        """See Watcher."""
        self._write(
            {
                "iteration": progress.iteration,
                "epoch": round(progress.epoch, 4),
                "loss": progress.loss,
                "learning_rate": progress.learning_rate,
                "images_per_second": round(progress.images_per_second, 2),
            }
        )

    def evaluated(self, iteration: int, figures: Figures) -> None:
        """See Watcher."""
        self._write({"iteration": iteration, "evaluation": figures})

    def close(self) -> None:
        """See Watcher."""
        self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps({**entry, "time": round(time.time(), 2)}) + "\n")
        self._file.flush()


class TensorBoard:
    """The files that `tensorboard --logdir` shows."""

    def __init__(self, folder: Path, first: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - only who wants it waits for it

        self._writer = SummaryWriter(str(folder), purge_step=first or None)

    def stepped(self, progress: Progress) -> None:
        """See Watcher."""
        for name in ("loss", "learning_rate", "images_per_second"):
            self._writer.add_scalar(f"training/{name}", getattr(progress, name), progress.iteration)

    def evaluated(self, iteration: int, figures: Figures) -> None:
        """See Watcher."""
        for name, values in figures.items():
            for figure, value in values.items():
                self._writer.add_scalar(f"{name}/{figure}", value, iteration)

    def close(self) -> None:
        """See Watcher."""
        self._writer.close()


class Bar:
    """A progress bar with loss, speed and the time that is left; evaluations are lines above it."""

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

    def stepped(self, progress: Progress) -> None:
        """See Watcher."""
        words = f"loss {progress.loss:.3f}, {progress.images_per_second:.0f} images/s"
        self._bar.update(self._task, completed=progress.iteration, total=progress.total, description=words)

    def evaluated(self, iteration: int, figures: Figures) -> None:
        """See Watcher."""
        for name, values in figures.items():
            shown = ", ".join(f"{figure} {value:.4f}" for figure, value in values.items())
            self._bar.console.print(f"iteration {iteration}: {name}: {shown}", markup=False, highlight=False)

    def close(self) -> None:
        """See Watcher."""
        self._bar.stop()


def _iteration_of(line: str) -> float:
    """Return the iteration of a line, infinity for one that was cut short."""
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(line)["iteration"])
    return float("inf")
