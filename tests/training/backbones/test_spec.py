import dataclasses
import math

import pytest

from app.errors import TrainingInvalid
from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "resnet18"}, "did you mean iresnet18 or"),
        ({"dimension": 1}, "dimension must"),
        ({"dimension": 4097}, "dimension must"),
        ({"width": 0}, "width must"),
        ({"width": 5}, "width must"),
        ({"width": math.nan}, "width must"),
        ({"output": "F"}, "output must"),
        ({"dropout": 1}, "dropout must"),
        ({"dropout": -0.1}, "dropout must"),
        ({"name": "mobilefacenet", "output": "A"}, "only IResNet and networks of timm have several outputs"),
        ({"name": "mobilefacenet", "has_se": True}, "only IResNet has squeeze-and-excitation"),
        ({"name": "sphere20", "unit": "plain"}, "only IResNet has squeeze-and-excitation, a stem and a unit"),
        ({"stem": "5x5"}, "stem must be one of 3x3, 7x7"),
        ({"unit": "v3"}, "unit must be one of ir, plain"),
        ({"options": {"depth": 3}}, "only a network of another package has options"),
        ({"name": "timm:densenet121", "width": 0.5}, "has no width"),
        ({"name": "timm:"}, "use one of iresnet18.*, timm:NAME or package.module:Class"),
    ],
    ids=str,
)
def test_what_does_not_exist_is_refused(wrong, says):
    with pytest.raises(TrainingInvalid, match=says):
        BackboneSpec(**({"name": "iresnet18"} | wrong))


def test_pooled_channels_are_the_embedding_with_output_a():
    with pytest.raises(TrainingInvalid, match="number of channels, 64"):
        build_backbone(BackboneSpec("iresnet18", dimension=512, width=0.125, output="A"))


def test_a_spec_is_frozen_and_as_published():
    spec = BackboneSpec("iresnet50")
    assert (spec.dimension, spec.width, spec.output, spec.has_se, spec.dropout) == (512, 1, "E", False, 0.4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.width = 2  # type: ignore[misc]
