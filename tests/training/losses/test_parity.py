"""Value and gradients of each loss, compared with the papers' formulas in float64."""

import math

import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from tests.training.losses import formulas

_CLASSES, _DIMENSION = 5, 8
_NEAR = 1e-3  # radians

# The loss, the preceding optimizer steps, its scale (None: the norm of the features), and its target function.
_LOSSES = {
    "w-norm": (LossSpec("w-norm"), 0, None, np.cos),
    "normface": (LossSpec("normface"), 0, 16, np.cos),
    "normface of another scale": (LossSpec("normface", scale=30), 0, 30, np.cos),
    "cosface": (LossSpec("cosface"), 0, 64, formulas.cosface(0.35)),
    "am-softmax": (LossSpec("cosface", scale=30, margin=0.2), 0, 30, formulas.cosface(0.2)),
    "arcface": (LossSpec("arcface"), 0, 64, formulas.arcface(0.5)),
    "arcface of another margin": (LossSpec("arcface", scale=20, margin=0.3), 0, 20, formulas.arcface(0.3)),
    "sub-center arcface": (LossSpec("arcface", sub_centers=3), 0, 64, formulas.arcface(0.5)),
    "sphereface at first": (LossSpec("sphereface"), 0, None, formulas.sphereface(4, 1000)),
    "sphereface half-way": (LossSpec("sphereface"), 500, None, formulas.sphereface(4, 1000 / 61)),
    "sphereface at last": (LossSpec("sphereface"), 10**6, None, formulas.sphereface(4, 5)),
    "sphereface without annealing": (
        LossSpec("sphereface", lambda_max=0, lambda_min=0), 0, None, formulas.sphereface(4, 0)
    ),
    "sphereface, m=3": (LossSpec("sphereface", margin=3), 10**6, None, formulas.sphereface(3, 5)),
    "sphereface, normalised": (
        LossSpec("sphereface", is_feature_normalised=True), 10**6, 64, formulas.sphereface(4, 5)
    ),
    "sub-center sphereface": (LossSpec("sphereface", sub_centers=2), 10**6, None, formulas.sphereface(4, 5)),
}  # fmt: skip
_COMBINED = {
    "combined": (LossSpec("combined"), 0, 64, formulas.combined(1, 0.3, 0.2)),
    "combined of other margins": (
        LossSpec("combined", m1=1.35, m2=0.2, m3=0.1, scale=30), 0, 30, formulas.combined(1.35, 0.2, 0.1)
    ),
}  # fmt: skip


def _built(spec, steps, seed=3):
    loss = build_loss(spec, classes=_CLASSES, dimension=_DIMENSION)
    loss.iteration.fill_(steps)
    random = np.random.default_rng(seed).normal(size=loss.head.weight.shape).astype(np.float32)
    with torch.no_grad():
        loss.head.weight.copy_(torch.from_numpy(random))
    return loss, random.astype(np.float64)


def _check(case, features, labels, weights_seed=3):
    spec, steps, scale, target = case
    loss, weights = _built(spec, steps, weights_seed)
    features = features(weights).astype(np.float32)

    def value(features, weights):
        logits = formulas.margin_logits(features, weights, labels, target=target, scale=scale)
        return formulas.cross_entropy(logits, labels)

    exact = features.astype(np.float64)
    given = torch.from_numpy(features).requires_grad_()
    result = loss(given, torch.from_numpy(labels))
    result.backward()
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.item(), value(exact, weights), rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(
        loss.logits(given, torch.from_numpy(labels)).detach().numpy(),
        formulas.margin_logits(exact, weights, labels, target=target, scale=scale),
        rtol=1e-5,
        atol=5e-5,
    )
    for slopes, expected in (
        (given.grad, formulas.gradient(lambda x: value(x, weights), exact)),
        (loss.head.weight.grad, formulas.gradient(lambda w: value(exact, w), weights)),
    ):
        np.testing.assert_allclose(slopes.numpy(), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max() + 1e-6)


@pytest.mark.parametrize("name", _LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradients_on_random_features(name, seed):
    random = np.random.default_rng(seed)
    features, labels = random.normal(0, 3, (6, _DIMENSION)), random.integers(_CLASSES, size=6)
    _check(_LOSSES[name], lambda _: features, labels, weights_seed=seed + 10)


# At wide angles, another sub-centre of the class would be nearer.
@pytest.mark.parametrize("name", [name for name in _LOSSES if "sub-center" not in name])
@pytest.mark.parametrize(
    "theta",
    [
        _NEAR, 0.1, math.pi / 4 - _NEAR, math.pi / 4 + _NEAR, math.pi / 2,
        math.pi - 0.5 - _NEAR, math.pi - 0.5 + _NEAR, math.pi - 0.3 - _NEAR, math.pi - 0.3 + _NEAR, math.pi - _NEAR,
    ],
)  # fmt: skip
@pytest.mark.parametrize("norm", [0.5, 20])
def test_value_and_gradients_at_constructed_angles(name, theta, norm):
    labels = np.arange(_CLASSES)
    angles = np.full(_CLASSES, theta)
    _check(_LOSSES[name], lambda weights: formulas.at_angles(weights, labels, angles, norm=norm), labels)


@pytest.mark.parametrize("name", _COMBINED)
@pytest.mark.parametrize("theta", [_NEAR, 0.5, 1.5, 2.0])
def test_the_combined_margin_where_the_paper_defines_it(name, theta):
    labels = np.arange(_CLASSES)
    angles = np.full(_CLASSES, theta)
    _check(_COMBINED[name], lambda weights: formulas.at_angles(weights, labels, angles, norm=2), labels)


@pytest.mark.parametrize("seed", range(3))
def test_the_softmax_is_an_inner_product_and_a_bias(seed):
    loss, weights = _built(LossSpec("softmax"), 0, seed)
    random = np.random.default_rng(seed)
    labels = random.integers(_CLASSES, size=6)
    features, bias = (random.normal(size=size).astype(np.float32) for size in ((6, _DIMENSION), _CLASSES))
    with torch.no_grad():
        loss.bias.copy_(torch.from_numpy(bias))

    def value(features, weights, bias):
        return formulas.cross_entropy(features @ weights[:, 0].T + bias, labels)

    given = torch.from_numpy(features).requires_grad_()
    exact, shifts = features.astype(np.float64), bias.astype(np.float64)
    result = loss(given, torch.from_numpy(labels))
    result.backward()
    np.testing.assert_allclose(result.item(), value(exact, weights, shifts), rtol=1e-6)
    for slopes, expected in (
        (given.grad, formulas.gradient(lambda x: value(x, weights, shifts), exact)),
        (loss.head.weight.grad, formulas.gradient(lambda w: value(exact, w, shifts), weights)),
        (loss.bias.grad, formulas.gradient(lambda b: value(exact, weights, b), shifts)),
    ):
        np.testing.assert_allclose(slopes.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "normface", "sphereface", "cosface", "arcface", "combined"])
def test_the_means_of_the_own_class_are_those_of_the_batch(name):
    loss = build_loss(LossSpec(name), classes=5, dimension=8)
    features, labels = torch.randn(12, 8), torch.arange(12) % 5
    loss(features, labels)
    theta = torch.arccos(loss.cosines(features).gather(1, labels[:, None]))
    logits = loss.logits(features, labels).gather(1, labels[:, None])
    assert loss.own_class is not None
    assert loss.own_class.theta == pytest.approx(theta.mean().item(), abs=1e-5)
    assert loss.own_class.target_logit == pytest.approx(logits.mean().item(), abs=1e-4)
    assert not loss.own_class.theta.requires_grad
    assert not loss.own_class.target_logit.requires_grad


def test_cosines_know_no_margin_and_no_scale():
    names = "softmax l2-softmax w-norm normface sphereface cosface arcface combined adaface magface center contrastive"
    for name in names.split():
        loss, weights = _built(LossSpec(name), 0)
        features = np.random.default_rng(1).normal(size=(4, _DIMENSION))
        expected = formulas.normalise(features) @ formulas.normalise(weights[:, 0]).T
        np.testing.assert_allclose(loss.cosines(torch.from_numpy(features)).detach().numpy(), expected, atol=1e-6)
