import pytest
import torch

from app.errors import TrainingInvalid
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from tests.training.own import OwnLoss

_FEATURES, _LABELS = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])


def build(name, **options):
    torch.manual_seed(0)
    return build_loss(LossSpec(name, options=options), classes=3, dimension=8)


def test_a_loss_of_another_package():
    loss = build("tests.training.own:OwnLoss", scale=4.0)
    torch.manual_seed(0)
    expected = OwnLoss(classes=3, dimension=8, scale=4.0)(_FEATURES, _LABELS)
    torch.testing.assert_close(loss(_FEATURES, _LABELS), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(loss(_FEATURES, _LABELS), expected)
    loss.step()
    assert {"iteration", "module.weight"} == set(loss.state_dict())
    assert not loss.has_classes


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tests.training.own:OwnLoss", {"margin": 1}, "OwnLoss cannot be constructed with .*'margin'"),
        ("tests.training.own:OwnLoss", {"scale": -1}, "scale must be above 0"),
        ("tests.training.own:Missing", {}, "the module tests.training.own has no Missing"),
        ("tests.training.own:torch", {}, "is not a subclass of torch.nn.modules.module.Module"),
        ("nowhere:Loss", {}, "No module named 'nowhere'"),
    ],
)
def test_what_does_not_fit_is_named(name, options, message):
    with pytest.raises(TrainingInvalid, match=message):
        build(name, **options)


def test_a_loss_that_is_no_scalar_is_refused():
    with pytest.raises(TrainingInvalid, match=r"LossOfEachPhoto must return a scalar tensor, not \(4,\)"):
        build("tests.training.own:LossOfEachPhoto")(_FEATURES, _LABELS)
