"""A step does not read values of the device on the host: a GPU would be idle during this time."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from app.training.config import parse_config
from app.training.data.batches import Batch
from app.training.distributed import DistributedContext
from app.training.loop import RunContext, Training

WAITING = {"_local_scalar_dense", "nonzero", "_unique2", "unique_dim", "bincount", "masked_select", "equal"}
SMALL = {"name": "mobilefacenet", "width": 0.125, "dimension": 8}
FUSED = {"options": {"fused": True}}  # as on a GPU
CLASSES, BATCH = 40, 8


class NoWaiting(TorchDispatchMode):
    """Fail at operations for which the host waits until a GPU has finished."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in WAITING, func
        return func(*args, **(kwargs or {}))


class Noise:
    """Random crops of 40 people."""

    classes = tuple(map(str, range(CLASSES)))
    labels = np.arange(CLASSES)

    def name(self, index):
        return str(index)

    def crop(self, index):
        return np.random.default_rng(index).integers(0, 256, (112, 112, 3)).astype(np.uint8)

    def encoded(self, index):
        raise NotImplementedError


def training(tmp_path, **groups):
    config = parse_config(
        {
            "data": {"path": "/none"},
            "backbone": {"name": "tests.training.own:OwnNetwork", "dimension": 8},
            "schedule": {"iterations": 10, "batch_size": BATCH, "learning_rate": 0.01},
            **groups,
        }
    )
    run = Training(config, Noise(), RunContext(tmp_path, DistributedContext(torch.device("cpu"))))
    run.learner.train()
    return run


@pytest.mark.parametrize(
    "groups",
    [
        *({"loss": {"name": name}} for name in ("softmax", "arcface", "adaface", "magface", "sphereface", "center")),
        {"loss": {"name": "contrastive"}},
        {"loss": {"name": "arcface", "sample_rate": 0.5, "sub_centers": 2}},
        {
            "backbone": SMALL,
            "machine": {"accumulation": 2, "checkpoint_activations": True, "channels_last": True, "amp": "bf16"},
        },
        {"machine": {"amp": "fp16"}, "optimiser": FUSED},
        {"optimiser": {"name": "adamw", **FUSED}},
    ],
)
def test_a_step_does_not_wait(groups, tmp_path):
    run = training(tmp_path, **groups)
    crops = torch.randint(0, 256, (BATCH, 112, 112, 3), dtype=torch.uint8)
    batch = Batch(crops, torch.arange(BATCH) // 2)
    run.step(batch)
    with NoWaiting():
        losses = [run.step(batch) for _ in range(2)]
    assert torch.stack(losses).isfinite().all()


def test_a_value_read_on_the_host_is_noticed():
    with NoWaiting(), pytest.raises(AssertionError, match="_local_scalar_dense"):
        torch.ones(2).sum().item()
