import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from app.training.losses.triplet import semi_hard
from tests.training.losses import formulas

_ALPHA = 0.2


def _mined(units, labels, alpha):
    """Return the triplets of FaceNet's rule, pair by pair, in squared Euclidean norms."""
    result = []
    for a, p in np.ndindex(len(labels), len(labels)):
        if a == p or labels[a] != labels[p]:
            continue
        to_positive = ((units[a] - units[p]) ** 2).sum()
        best = None
        for n in range(len(labels)):
            to_negative = ((units[a] - units[n]) ** 2).sum()
            if labels[n] == labels[a] or not to_positive < to_negative < to_positive + alpha:
                continue
            if best is None or to_negative < best[0]:
                best = to_negative, n
        if best is not None:
            result.append((a, p, best[1]))
    return result


def _batch(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(5, size=24)
    people = random.normal(size=(5, 6))
    return (people[labels] + random.normal(0, 0.6, (24, 6))).astype(np.float32), labels


@pytest.mark.parametrize("seed", range(5))
def test_exactly_the_semi_hard_ones_are_mined(seed):
    features, labels = _batch(seed)
    units = formulas.normalise(features.astype(np.float64))
    mined = semi_hard(torch.from_numpy(units @ units.T), torch.from_numpy(labels), _ALPHA)
    expected = _mined(units, labels, _ALPHA)
    assert len(expected) > 10
    assert list(zip(*(places.tolist() for places in mined), strict=True)) == expected


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [0.2, 0.5])
def test_value_and_gradient_are_the_papers(seed, alpha):
    features, labels = _batch(seed)
    exact = features.astype(np.float64)
    triplets = _mined(formulas.normalise(exact), labels, alpha)

    def value(features):
        units = formulas.normalise(features)
        return sum(
            max(0, ((units[a] - units[p]) ** 2).sum() - ((units[a] - units[n]) ** 2).sum() + alpha)
            for a, p, n in triplets
        ) / len(triplets)

    given = torch.from_numpy(features).requires_grad_()
    result = build_loss(LossSpec("triplet", margin=alpha), classes=5, dimension=6)(given, torch.from_numpy(labels))
    result.backward()
    assert result.item() == pytest.approx(value(exact), abs=1e-6)
    np.testing.assert_allclose(given.grad.numpy(), formulas.gradient(value, exact), atol=1e-6)


def test_without_a_semi_hard_negative_there_is_nothing_to_learn():
    features = torch.tensor([[1.0, 0], [1, 0.01], [-1, 0], [-1, 0.01]], requires_grad=True)
    loss = build_loss(LossSpec("triplet"), classes=2, dimension=2)
    for labels in ([0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 2, 3]):
        value = loss(features, torch.tensor(labels))
        value.backward()
        assert value == 0
    assert not features.grad.any()


def test_it_has_neither_classes_nor_weights():
    loss = build_loss(LossSpec("triplet"), classes=2, dimension=2)
    assert not loss.has_classes
    assert not list(loss.parameters())
    assert LossSpec("triplet").margin == _ALPHA
