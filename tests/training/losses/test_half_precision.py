"""Losses stay within the range of half precision at every angle."""

import math

import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from tests.training.losses import formulas

_SPECS = [
    LossSpec("softmax"),
    LossSpec("normface"),
    LossSpec("sphereface", lambda_max=0, lambda_min=0),
    LossSpec("sphereface", is_feature_normalised=True),
    LossSpec("cosface"),
    LossSpec("arcface"),
    LossSpec("arcface", sub_centers=2),
    LossSpec("arcface", sample_rate=0.7),
    LossSpec("combined", m1=1.2),
    LossSpec("l2-softmax"),
    LossSpec("w-norm"),
    LossSpec("adaface"),
    LossSpec("magface"),
    LossSpec("center"),
    LossSpec("contrastive"),
    LossSpec("triplet"),
]
_LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 3])
_THETA = np.array([0, math.pi, 1e-4, math.pi - 1e-4, 1e-2, math.pi - 0.5, math.pi - 0.3, math.pi / 4, 1, 2])


def _case(spec):
    torch.manual_seed(1)
    loss = build_loss(spec, classes=4, dimension=16).eval()  # no averages that change with each batch
    weights = np.random.default_rng(2).normal(size=(4, 1, 16)) if spec.name == "triplet" else _weights(loss)
    features = formulas.at_angles(weights, _LABELS, _THETA, norm=5)
    features[4] = 0
    return loss, torch.from_numpy(features.astype(np.float32)), torch.from_numpy(_LABELS)


def _weights(loss):
    return loss.head.weight.detach().numpy().astype(np.float64)


def _run(loss, features, labels):
    features = features.detach().clone().requires_grad_()
    loss.zero_grad()
    value = loss(features, labels)
    value.backward()
    slopes = [features.grad.float()] + [weight.grad.clone() for weight in loss.parameters()]
    return value.detach(), slopes


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("spec", _SPECS, ids=str)
def test_half_precision_features_under_autocast_give_what_float32_gives(spec, half):
    loss, features, labels = _case(spec)
    halved = features.to(half)
    value, slopes = _run(loss, halved.float(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result, found_slopes = _run(loss, halved, labels)
    assert result.dtype == torch.float32
    assert torch.isfinite(result)
    torch.testing.assert_close(result, value)
    for one, other in zip(found_slopes, slopes, strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2 * float(other.abs().max()) + 1e-6)


@pytest.mark.parametrize("spec", _SPECS, ids=str)
def test_everything_is_finite_where_slopes_are_undefined(spec):
    loss, features, labels = _case(spec)
    for given in (features, features * 1e-3, features * 1e-12, features * 1e3, torch.zeros_like(features)):
        value, slopes = _run(loss, given, labels)
        assert torch.isfinite(value)
        assert all(torch.isfinite(slope).all() for slope in slopes)


def test_autocast_does_not_reach_the_logits_and_cosines():
    for spec in _SPECS[:-1]:
        loss, features, labels = _case(spec)
        plain = loss.logits(features, labels), loss.cosines(features)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = loss.logits(features, labels), loss.cosines(features)
        assert all(torch.equal(one, other) for one, other in zip(plain, cast, strict=True))


def test_a_feature_without_a_direction_pulls_nowhere():
    loss = build_loss(LossSpec("arcface"), classes=4, dimension=16)
    value, slopes = _run(loss, torch.zeros(2, 16), torch.tensor([0, 1]))
    assert not slopes[0].any()
    other = torch.zeros(2, 16)
    other[1, 0] = 1
    assert not torch.equal(_run(loss, other, torch.tensor([0, 1]))[0], value)
