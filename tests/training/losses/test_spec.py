import dataclasses
import math

import pytest
import torch

from app.errors import TrainingInvalid
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec


@pytest.mark.parametrize(
    ("name", "scale", "margin"),
    [
        ("softmax", None, None),
        ("l2-softmax", 16, None),
        ("w-norm", None, None),
        ("normface", 16, None),
        ("sphereface", None, 4),
        ("cosface", 64, 0.35),
        ("arcface", 64, 0.5),
        ("combined", 64, None),
        ("adaface", 64, 0.4),
        ("magface", 64, None),
        ("center", None, None),
        ("contrastive", None, 1),
        ("triplet", None, 0.2),
    ],
)
def test_defaults_are_the_papers(name, scale, margin):
    spec = LossSpec(name)
    assert (spec.scale, spec.margin) == (scale, margin)


def test_other_defaults_are_the_papers():
    combined, magface, adaface, center = map(LossSpec, ("combined", "magface", "adaface", "center"))
    assert (combined.m1, combined.m2, combined.m3) == (1, 0.3, 0.2)
    assert (magface.norms, magface.margins, magface.weight) == ((10, 110), (0.45, 0.8), 35)
    assert (adaface.concentration, adaface.norm_momentum) == (0.333, 0.01)
    assert (center.weight, center.center_rate) == (0.003, 0.5)
    assert LossSpec("sphereface", is_feature_normalised=True).scale == 64


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"name": "centre"}, "unknown loss 'centre'"),
        ({"name": "w-norm", "scale": 30}, "w-norm has no scale"),
        ({"name": "arcface", "weight": 1}, "arcface has no weight"),
        ({"name": "arcface", "options": {"x": 1}}, "arcface has no options"),
        ({"name": "magface", "margin": 0.5}, "magface has no margin"),
        ({"name": "magface", "norms": (110, 10)}, "norms must"),
        ({"name": "magface", "margins": (0.8, 0.45)}, "margins must"),
        ({"name": "adaface", "margin": 1.1}, "margin must"),
        ({"name": "adaface", "norm_momentum": 0}, "norm_momentum must"),
        ({"name": "adaface", "concentration": 0}, "concentration must"),
        ({"name": "center", "center_rate": 2}, "center_rate must"),
        ({"name": "center", "weight": -1}, "weight must"),
        ({"name": "contrastive", "margin": 0}, "margin must"),
        ({"name": "contrastive", "sub_centers": 2}, "contrastive has no sub_centers"),
        ({"name": "softmax", "scale": 30}, "softmax has no scale"),
        ({"name": "sphereface", "scale": 30}, "sphereface has no scale"),
        ({"name": "normface", "margin": 0.1}, "normface has no margin"),
        ({"name": "combined", "margin": 0.1}, "combined has no margin"),
        ({"name": "arcface", "m2": 0.1}, "has no m2"),
        ({"name": "arcface", "is_feature_normalised": True}, "has no is_feature_normalised"),
        ({"name": "softmax", "sub_centers": 2}, "has no sub_centers"),
        ({"name": "triplet", "sample_rate": 0.5}, "has no sample_rate"),
        ({"name": "arcface", "scale": 0}, "scale must"),
        ({"name": "arcface", "scale": math.nan}, "scale must"),
        ({"name": "arcface", "scale": math.inf}, "scale must"),
        ({"name": "arcface", "margin": 1.6}, "margin must"),
        ({"name": "arcface", "margin": -0.1}, "margin must"),
        ({"name": "arcface", "margin": math.nan}, "margin must"),
        ({"name": "cosface", "margin": 1.1}, "margin must"),
        ({"name": "sphereface", "margin": 2.5}, "margin must"),
        ({"name": "sphereface", "margin": 0}, "margin must"),
        ({"name": "triplet", "margin": 0}, "margin must"),
        ({"name": "triplet", "margin": math.nan}, "margin must"),
        ({"name": "combined", "m1": 0.9}, "m1 must"),
        ({"name": "combined", "m1": 2, "m2": 0.3}, "m1 must"),
        ({"name": "combined", "m3": -0.1}, "m3 must"),
        ({"name": "sphereface", "lambda_min": 2000}, "lambda_min must"),
        ({"name": "sphereface", "lambda_decay": -1}, "lambda_decay must"),
        ({"name": "arcface", "sub_centers": 0}, "sub_centers must"),
        ({"name": "arcface", "sample_rate": 0}, "sample_rate must"),
        ({"name": "arcface", "sample_rate": 1.1}, "sample_rate must"),
    ],
    ids=str,
)
def test_numbers_out_of_range_or_of_no_use_are_refused(numbers, says):
    with pytest.raises(TrainingInvalid, match=says):
        LossSpec(**numbers)


def test_a_spec_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LossSpec("arcface").scale = 3  # type: ignore[misc]


def test_one_class_is_too_few():
    with pytest.raises(TrainingInvalid, match="two people"):
        build_loss(LossSpec("arcface"), classes=1, dimension=4)


def test_the_same_seed_gives_the_same_loss():
    states = []
    for _ in range(2):
        torch.manual_seed(5)
        states.append(build_loss(LossSpec("arcface", sample_rate=0.5), classes=9, dimension=4).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
