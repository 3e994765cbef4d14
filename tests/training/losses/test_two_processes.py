"""Two processes compute together what one computes with the double batch."""

from pathlib import Path

import pytest
import torch
from torch import distributed
from torch.multiprocessing import spawn

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec

_CLASSES, _DIMENSION, _BATCH = 60, 8, 16
_SPECS = {
    "partial fc": LossSpec("cosface", sample_rate=0.3),
    "adaface": LossSpec("adaface", norm_momentum=0.5),
    "center": LossSpec("center", weight=0.5),
}


def _results(spec, part):
    """Return the gradients of weights and features after two steps with a part of each batch, and the loss's state."""
    torch.manual_seed(0)
    loss = build_loss(spec, classes=_CLASSES, dimension=_DIMENSION)
    for step in range(2):
        generator = torch.Generator().manual_seed(step)
        features = torch.randn(_BATCH, _DIMENSION, generator=generator)[part].requires_grad_()
        labels = torch.randint(_CLASSES, (_BATCH,), generator=generator)[part]
        loss.zero_grad()
        loss(features, labels).backward()
        loss.step()
    return {"weights": loss.head.weight.grad, "features": features.grad, "state": loss.state_dict()}


def _process(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", f"file://{folder / 'store'}", rank=rank, world_size=2)
    part = slice(rank * _BATCH // 2, (rank + 1) * _BATCH // 2)
    torch.save({name: _results(spec, part) for name, spec in _SPECS.items()}, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        spawn(_process, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", _SPECS)
def test_gradients_and_state_are_those_of_the_double_batch(processes, name):
    first, second = (results[name] for results in processes)
    whole = _results(_SPECS[name], slice(None))
    torch.testing.assert_close((first["weights"] + second["weights"]) / 2, whole["weights"])
    torch.testing.assert_close(torch.cat([first["features"], second["features"]]) / 2, whole["features"])
    for state in (first["state"], second["state"]):
        assert state.keys() == whole["state"].keys()
        for key, value in whole["state"].items():
            torch.testing.assert_close(state[key], value)
