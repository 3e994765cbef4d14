import shutil

import pytest
import torch
from torch import nn

from app.errors import TrainingInvalid
from app.training.config import parse_config
from app.training.learner import Learner, build_learner
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # PyTorch's own code
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_backbone_has_the_same_weights_and_features():
    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(28), nn.Flatten(), nn.Linear(48, 8))
    loss = build_loss(LossSpec("cosface"), classes=2, dimension=8)
    crops, labels = torch.randint(0, 256, (4, 112, 112, 3), dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
    plain = Learner(network, loss)
    expected, names = plain(crops, labels), list(plain.state_dict())
    compiled = Learner(network, loss, is_compiled=True)
    torch.testing.assert_close(compiled(crops, labels), expected)
    assert list(compiled.state_dict()) == names


@pytest.mark.parametrize(
    ("width", "machine", "is_refused"),
    [
        (0.125, {"channels_last": True}, True),
        (0.25, {"channels_last": True}, False),
        (0.125, {"channels_last": True, "amp": "bf16"}, False),
        (0.125, {}, False),
    ],
)
def test_a_layout_that_crashes_pytorch_is_refused(width, machine, is_refused):
    backbone = {"name": "iresnet18", "width": width, "dimension": 16}
    config = parse_config({"data": {"path": "/photos"}, "backbone": backbone, "machine": machine})
    if is_refused:
        with pytest.raises(TrainingInvalid, match=r"machine\.channels_last: PyTorch crashes"):
            build_learner(config, 3)
    else:
        build_learner(config, 3)
