"""AdaFace and MagFace: value and gradients, compared with the papers' formulas in float64."""

import math

import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from tests.training.losses import formulas

_CLASSES, _DIMENSION = 5, 8
_LABELS = np.array([0, 1, 2, 3, 4, 0, 1])
_ANGLES = np.array([0.3, 0.8, 1.2, 1.4, 1.9, 2.5, 1.0])
_NORMS = np.array([5.0, 15, 25, 60, 105, 30, 200])


def built(spec, norms=_NORMS, angles=_ANGLES):
    """Return the loss, its class weights, and features at known angles to their classes with known norms."""
    torch.manual_seed(0)
    loss = build_loss(spec, classes=_CLASSES, dimension=_DIMENSION).eval()
    weights = np.random.default_rng(3).normal(size=(_CLASSES, 1, _DIMENSION)).astype(np.float32)
    with torch.no_grad():
        loss.head.weight.copy_(torch.from_numpy(weights))
    units = formulas.at_angles(weights.astype(np.float64), _LABELS, angles, norm=1)
    return loss, weights.astype(np.float64), (units * norms[:, None]).astype(np.float32)


def adaface_logits(features, weights, quality, *, margin=0.4, scale=64):
    cosines = formulas.normalise(features) @ formulas.normalise(weights[:, 0]).T
    own = np.arange(len(features)), _LABELS
    theta = np.arccos(cosines[own])
    cosines[own] = np.cos(np.clip(theta - margin * quality, 0, math.pi)) - (margin + margin * quality)
    return scale * cosines


def magface_value(features, weights):
    cosines = formulas.normalise(features) @ formulas.normalise(weights[:, 0]).T
    lengths = np.clip(np.linalg.norm(features, axis=1), 10, 110)
    margins = (0.8 - 0.45) / (110 - 10) * (lengths - 10) + 0.45
    own = np.arange(len(features)), _LABELS
    theta = np.arccos(cosines[own])
    cosines[own] = np.where(cosines[own] > 0, np.cos(theta + margins), cosines[own])
    return formulas.cross_entropy(64 * cosines, _LABELS) + 35 * np.mean(lengths / 110**2 + 1 / lengths)


def check(loss, features, weights, value):
    given = torch.from_numpy(features).requires_grad_()
    result = loss(given, torch.from_numpy(_LABELS))
    result.backward()
    exact = features.astype(np.float64)
    np.testing.assert_allclose(result.item(), value(exact, weights), rtol=2e-5)
    for slopes, expected in (
        (given.grad, formulas.gradient(lambda x: value(x, weights), exact, 1e-6)),
        (loss.head.weight.grad, formulas.gradient(lambda w: value(exact, w), weights)),
    ):
        np.testing.assert_allclose(slopes.numpy(), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max() + 1e-6)


def test_adaface_is_the_papers_with_no_gradient_through_the_norm():
    loss, weights, features = built(LossSpec("adaface"))
    loss.mean.fill_(30)
    loss.deviation.fill_(10)
    norms = np.clip(np.linalg.norm(features.astype(np.float64), axis=1), 0.001, 100)
    quality = np.clip((norms - 30) / (10 + 1e-3) * 0.333, -1, 1)
    np.testing.assert_allclose(loss.quality(torch.from_numpy(features)).numpy(), quality, atol=1e-6)
    assert quality.min() < -0.8 < 0.99 < quality.max()
    check(loss, features, weights, lambda x, w: formulas.cross_entropy(adaface_logits(x, w, quality), _LABELS))


def test_adaface_of_a_photo_of_low_quality_is_arcface_and_of_average_quality_cosface():
    theta = torch.linspace(0.5, 2.5, 20, dtype=torch.float64)
    loss = build_loss(LossSpec("adaface"), classes=2, dimension=4)
    loss.mean.fill_(50)
    loss.deviation.fill_(1)
    short, average, long = (torch.full((20, 4), norm / 2) for norm in (1, 50, 99))
    torch.testing.assert_close(loss.targets(theta, short), torch.cos(theta + 0.4))
    torch.testing.assert_close(loss.targets(theta, average), torch.cos(theta) - 0.4)
    torch.testing.assert_close(loss.targets(theta, long), torch.cos(theta - 0.4) - 0.8)
    torch.testing.assert_close(loss.target(theta), torch.cos(theta) - 0.4)


def test_adaface_counts_norms_in_training_only_and_saves_them():
    loss, _, features = built(LossSpec("adaface"))
    batch = torch.from_numpy(features), torch.from_numpy(_LABELS)
    loss(*batch)
    assert (loss.mean.item(), loss.deviation.item()) == (20, 100)
    loss.train()
    loss(*batch)
    norms = np.clip(np.linalg.norm(features, axis=1), 0.001, 100)
    assert loss.mean.item() == pytest.approx(0.01 * norms.mean() + 0.99 * 20, rel=1e-6)
    assert loss.deviation.item() == pytest.approx(0.01 * norms.std(ddof=1) + 0.99 * 100, rel=1e-6)
    assert {"mean", "deviation"} < set(loss.state_dict())
    loss(batch[0][:1], batch[1][:1])  # one photo has no deviation
    assert loss.deviation.isfinite()


def test_magface_is_the_papers_with_its_regulariser():
    loss, weights, features = built(LossSpec("magface"))
    check(loss, features, weights, magface_value)


def test_a_longer_feature_of_magface_has_a_larger_margin():
    loss = build_loss(LossSpec("magface"), classes=2, dimension=4)
    theta = torch.full((3,), 1.0)
    features = torch.nn.functional.normalize(torch.ones(3, 4)) * torch.tensor([1.0, 60, 1000])[:, None]
    torch.testing.assert_close(loss.targets(theta, features), torch.cos(1 + torch.tensor([0.45, 0.625, 0.8])))
    torch.testing.assert_close(loss.target(theta), torch.cos(theta + 0.45))
    wide = torch.full((3,), 1.7)
    torch.testing.assert_close(loss.targets(wide, features), torch.cos(wide))
