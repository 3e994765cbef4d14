import pytest
import torch

from app.errors import TrainingInvalid
from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec


def build(name, **options):
    return build_backbone(BackboneSpec(f"tests.training.own:{name}", dimension=16, options=options))


def test_a_network_of_another_package():
    network = build("OwnNetwork", bias=False)
    assert network.training
    assert network(torch.zeros(3, 3, 112, 112)).shape == (3, 16)
    assert network.layers[-1].bias is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("OwnNetwork", {"depth": 3}, "OwnNetwork does not work with dimension, .*'depth'"),
        ("NetworkOfAnotherSize", {}, r"must return features \(2, 16\), not \(2, 17\)"),
        ("OwnLoss", {}, "OwnLoss does not work with dimension"),
        ("Nothing", {}, "has no Nothing"),
    ],
)
def test_what_does_not_fit_is_named(name, options, message):
    with pytest.raises(TrainingInvalid, match=message):
        build(name, **options)
