"""Training runs on made-up people, for the measurements of gpu_training.py."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from app.training.callbacks import Figures, TrainingProgress
from app.training.config import TrainingConfig, parse_config
from app.training.data.batches import Batch
from app.training.data.memory import HostMemory
from app.training.distributed import distributed_context
from app.training.loop import RunContext, Training
from app.types import Pixels
from app.vision.alignment import CROP_SIDE

Groups = Mapping[str, Mapping[str, Any]]
"""Values of a configuration by table and key."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Device and sizes of all measurements.

    Args:
        device: `cuda`, or `cpu` in tests.
        backbone: Of the measurements of speed.
        learner: Of the measurements of loss curves.
        batch: Largest batch for the speed, and batch for the curves.
        iterations: Of a loss curve; a multiple of 10.
        seconds: Time of a measurement of speed.
        people: Made-up people, with eight photos each.
        classes: Class weights in the measurements of speed.
    """

    device: str = "cuda"
    backbone: Mapping[str, Any] = field(default_factory=lambda: {"name": "iresnet50"})
    learner: Mapping[str, Any] = field(default_factory=lambda: {"name": "iresnet18", "width": 0.5})
    batch: int = 128
    iterations: int = 300
    seconds: float = 3.0
    people: int = 200
    classes: int = 10_000


TINY = Sizes(
    device="cpu",
    backbone={"name": "mobilefacenet", "width": 0.125, "dimension": 16},
    learner={"name": "sphere20", "width": 0.125, "dimension": 16},  # without batch normalisation
    batch=8,
    iterations=10,
    seconds=0.01,
    people=8,
    classes=40,
)
"""For tests on the CPU."""


class People:
    """Made-up people: each is a smooth coloured pattern, and each of the eight photos adds noise."""

    def __init__(self, people: int, classes: int | None = None) -> None:
        """Draw all photos. Args: classes: number of people that a network distinguishes, by default these."""
        self.classes = tuple(f"p{number}" for number in range(classes or people))
        self.labels = np.repeat(np.arange(people, dtype=np.int64), 8)
        self._crops = [_photo(*divmod(number, 8)) for number in range(len(self.labels))]

    def name(self, index: int) -> str:
        """See CropSource."""
        return f"{self.labels[index]}/{index}"

    def crop(self, index: int) -> Pixels:
        """See CropSource."""
        return self._crops[index]

    def encoded(self, index: int) -> bytes:
        """See CropSource."""
        raise NotImplementedError


class LossCurve:
    """A callback that keeps the losses of all reports, by iteration."""

    def __init__(self, losses: Mapping[int, float] | None = None) -> None:
        self.losses = dict(losses or {})
        self.photos_per_second = 0.0

    def on_step(self, progress: TrainingProgress) -> None:
        """See Callback."""
        self.losses[progress.iteration] = progress.loss
        self.photos_per_second = progress.images_per_second

    def on_evaluation(self, iteration: int, figures: Figures) -> None:
        """See Callback."""

    def close(self) -> None:
        """See Callback."""


def config_of(device: str, batch: int, groups: Groups) -> TrainingConfig:
    """Return the configuration of a run; `groups` replace its keys."""
    threads = os.cpu_count() or 1
    values: dict[str, dict[str, Any]] = {
        "data": {"path": "/made-up", "workers": min(threads, 8)},
        "loss": {"name": "cosface", "scale": 16.0},
        "schedule": {"batch_size": batch, "learning_rate": 0.02, "kind": "constant", "iterations": 100},
        "machine": {"device": device},
        "keeping": {"log_every": 10, "save_every": 1_000_000},
    }
    for group, keys in groups.items():
        values[group] = dict(keys) if "name" in keys else {**values.get(group, {}), **keys}
    return parse_config(dict(values))


def run(config: TrainingConfig, source: People, out: Path, *, first: Path | None = None) -> LossCurve:
    """Train in this process, from a checkpoint if one is given; return the losses."""
    out.mkdir(parents=True, exist_ok=True)
    curve = LossCurve()
    with distributed_context(config.machine) as distributed:
        training = Training(config, source, RunContext(out, distributed, [curve]))
        if first is not None:
            training.resume(first)
        training.run()
    return curve


def random_batch(device: torch.device, size: int, people: int) -> Batch:
    """Return a batch of noise in memory from which the device copies."""
    memory = HostMemory(device)
    batch = Batch(memory.empty((size, CROP_SIDE, CROP_SIDE, 3), torch.uint8), memory.empty((size,), torch.int64))
    batch.crops.random_(0, 256)
    batch.labels.random_(0, people)
    return batch


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _photo(person: int, number: int) -> Pixels:
    coarse = np.random.default_rng([person, 1]).uniform(0, 255, (5, 5, 3))
    pattern = cv2.resize(coarse, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng([person, number, 2]).normal(0, 25, (CROP_SIDE, CROP_SIDE, 3))
    return np.asarray(np.clip(pattern + noise, 0, 255), np.uint8)
