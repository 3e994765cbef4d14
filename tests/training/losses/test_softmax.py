"""The relatives of the softmax: value and gradients, compared with the papers' formulas in float64."""

from itertools import combinations

import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from tests.training.losses import formulas

_CLASSES, _DIMENSION = 4, 6
_LABELS = np.array([0, 1, 2, 3, 0, 1, 0])


def built(spec, seed=0):
    torch.manual_seed(seed)
    loss = build_loss(spec, classes=_CLASSES, dimension=_DIMENSION)
    with torch.no_grad():
        loss.head.weight.normal_()
        loss.bias.normal_()
    features = np.random.default_rng(seed).normal(0, 2, (len(_LABELS), _DIMENSION)).astype(np.float32)
    return loss, features


def check(loss, features, value):
    weights, bias = (each.detach().numpy().astype(np.float64) for each in (loss.head.weight[:, 0], loss.bias))
    given = torch.from_numpy(features).requires_grad_()
    result = loss(given, torch.from_numpy(_LABELS))
    result.backward()
    exact = features.astype(np.float64)
    np.testing.assert_allclose(result.item(), value(exact, weights, bias), rtol=1e-5)
    for slopes, expected in (
        (given.grad, formulas.gradient(lambda x: value(x, weights, bias), exact)),
        (loss.head.weight.grad[:, 0], formulas.gradient(lambda w: value(exact, w, bias), weights)),
        (loss.bias.grad, formulas.gradient(lambda b: value(exact, weights, b), bias)),
    ):
        np.testing.assert_allclose(slopes.numpy(), expected, rtol=1e-4, atol=1e-5)


def softmax(features, weights, bias):
    return formulas.cross_entropy(features @ weights.T + bias, _LABELS)


@pytest.mark.parametrize("scale", [16, 40])
def test_the_l2_constrained_softmax(scale):
    loss, features = built(LossSpec("l2-softmax", scale=scale))
    check(loss, features, lambda x, w, b: softmax(scale * formulas.normalise(x), w, b))


def test_the_center_loss():
    loss, features = built(LossSpec("center", weight=0.1))
    centers = np.random.default_rng(9).normal(size=(_CLASSES, _DIMENSION))
    loss.eval().centers.copy_(torch.from_numpy(centers))
    pulls = lambda x: ((x - loss.centers.numpy()[_LABELS]) ** 2).sum(axis=1).mean()  # noqa: E731
    check(loss, features, lambda x, w, b: softmax(x, w, b) + 0.1 / 2 * pulls(x))


def test_centers_move_towards_the_faces_of_their_class_in_training_only():
    loss, features = built(LossSpec("center"))
    batch = torch.from_numpy(features), torch.from_numpy(_LABELS)
    loss.eval()(*batch)
    assert not loss.centers.any()
    loss.train()
    for _ in range(2):
        before = loss.centers.numpy().copy()
        loss(*batch)
        for label in range(_CLASSES):
            faces = features[label == _LABELS]
            change = 0.5 * (before[label] - faces).sum(axis=0) / (1 + len(faces))
            np.testing.assert_allclose(loss.centers[label].numpy(), before[label] - change, atol=1e-6)
    assert "centers" in loss.state_dict()
    assert "centers" not in dict(loss.named_parameters())


@pytest.mark.parametrize("margin", [0.5, 1.5])
def test_the_contrastive_loss(margin):
    loss, features = built(LossSpec("contrastive", weight=2, margin=margin))

    def contrastive(features):
        units = formulas.normalise(features)
        values = []
        for one, other in combinations(range(len(_LABELS)), 2):
            separation = np.sqrt(((units[one] - units[other]) ** 2).sum())
            is_same = _LABELS[one] == _LABELS[other]
            values.append(separation**2 / 2 if is_same else max(0, margin - separation) ** 2 / 2)
        return np.mean(values)

    check(loss, features, lambda x, w, b: softmax(x, w, b) + 2 * contrastive(x))


def test_one_face_has_no_pair():
    loss, features = built(LossSpec("contrastive"))
    plain = torch.nn.functional.cross_entropy(
        loss.logits(torch.from_numpy(features[:1]), torch.tensor([0])), torch.tensor([0])
    )
    torch.testing.assert_close(loss(torch.from_numpy(features[:1]), torch.tensor([0])), plain)
