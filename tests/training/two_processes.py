"""Program for torchrun: train a small network without batch normalisation; arguments: crops and output folder."""

import sys
from pathlib import Path

import torch
from torch import nn

from app.training.callbacks import MetricsLog
from app.training.config import TrainingConfig, parse_config
from app.training.data.opening import open_data
from app.training.distributed import distributed_context
from app.training.learner import Learner
from app.training.loop import RunContext, Training
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from tests.training.people import no_cropper


def config_of(people: Path, batch: int) -> TrainingConfig:
    return parse_config(
        {
            "data": {"path": people, "aligned": True, "augmentation": {"colour": 0.2}},
            "schedule": {"epochs": 5, "batch_size": batch, "learning_rate": 0.02},
            "keeping": {"log_every": 1},
        }
    )


def learner(classes: int) -> Learner:
    """Build a learner whose features of a photo do not depend on the rest of the batch."""
    torch.manual_seed(0)
    backbone = nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=4),
        nn.GroupNorm(2, 8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(128, 16),
    )
    return Learner(backbone, build_loss(LossSpec("cosface", scale=16), classes=classes, dimension=16))


def run(people: Path, out: Path, batch: int) -> Training:
    config = config_of(people, batch)
    out.mkdir(exist_ok=True)
    with distributed_context(config.machine) as distributed:
        source = open_data(config.data, no_cropper).source
        metrics = MetricsLog(out / "metrics.jsonl") if distributed.is_main else None
        context = RunContext(out, distributed, [] if metrics is None else [metrics])
        training = Training(config, source, context, learner(len(source.classes)))
        training.run()
        if metrics is not None:
            metrics.close()
    return training


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), batch=4)
