"""Run by torchrun: a small network without batch normalisation, on the crops and into the folder of the arguments."""

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
from app.training.losses import LossSpec, build_loss
from tests.training.people import no_cutter


def config_of(people: Path, batch: int) -> TrainingConfig:
    return parse_config(
        {
            "data": {"path": people, "aligned": True, "augmentation": {"colour": 0.2}},
            "schedule": {"epochs": 5, "batch_size": batch, "learning_rate": 0.02},
            "keeping": {"log_every": 1},
        }
    )


def learner(classes: int) -> Learner:
    """Build what gives each photo the same features whoever else is in the batch."""
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
        source = open_data(config.data, no_cutter).source
        journal = MetricsLog(out / "metrics.jsonl") if distributed.is_main else None
        around = RunContext(out, distributed, [] if journal is None else [journal])
        training = Training(config, source, around, learner(len(source.classes)))
        training.run()
        if journal is not None:
            journal.close()
    return training


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), batch=4)
