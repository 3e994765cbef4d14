"""Partial FC."""

import pytest
import torch
from torch.nn import functional

from app.training.losses.building import build_loss
from app.training.losses.sampling import ClassSampler, _random_keys
from app.training.losses.spec import LossSpec

_NAMES = ["normface", "sphereface", "cosface", "arcface", "combined"]
_CLASSES, _DIMENSION = 40, 8


def _batch(seed=0, size=6):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(size, _DIMENSION, generator=generator)
    return features, torch.randint(_CLASSES, (size,), generator=generator)


def _loss(name, **numbers):
    return build_loss(LossSpec(name, **numbers), classes=_CLASSES, dimension=_DIMENSION)


@pytest.mark.parametrize("name", _NAMES)
def test_with_rate_one_it_is_the_cross_entropy_over_all_classes(name):
    loss, (features, labels) = _loss(name, sample_rate=1), _batch()
    whole = functional.cross_entropy(loss.logits(features, labels), labels)
    assert torch.equal(loss(features, labels), whole)


@pytest.mark.parametrize("name", _NAMES)
def test_with_less_it_is_the_cross_entropy_over_the_classes_drawn(name):
    loss, (features, labels) = _loss(name, sample_rate=0.4), _batch()
    kept, own = loss.sampler(labels, loss.iteration)
    assert len(kept) == 16
    assert torch.equal(kept[own], labels)
    expected = functional.cross_entropy(loss.logits(features, labels)[:, kept], own)
    result = loss(features, labels)
    torch.testing.assert_close(result, expected)
    result.backward()
    has_slope = loss.head.weight.grad.abs().sum(dim=(1, 2)) > 0
    is_drawn = torch.zeros(_CLASSES, dtype=torch.bool).index_fill(0, kept, value=True)
    assert not has_slope[~is_drawn].any()
    assert has_slope[labels].all()


def test_the_batchs_own_classes_always_take_part():
    sampler = ClassSampler(_CLASSES, 0.1)
    for step in range(50):
        _, labels = _batch(step, size=12)
        kept, own = sampler(labels, torch.tensor(step))
        assert torch.equal(kept[own], labels)
        assert len(kept) == 12
        assert torch.equal(kept, kept.unique())


def test_a_batch_of_more_photos_than_classes_takes_all():
    labels = torch.arange(_CLASSES + 1) % _CLASSES
    kept, own = ClassSampler(_CLASSES, 0.1)(labels, torch.tensor(0))
    assert kept is None
    assert torch.equal(own, labels)


def test_streams_of_random_keys_differ_and_fill_their_range():
    streams = torch.stack([_random_keys(1000, torch.tensor(stream)) for stream in (0, 1, 2**61)])
    assert len(streams.unique()) == 3000
    shares = streams.double() / 2**62
    assert ((shares >= 0) & (shares < 1)).all()
    torch.testing.assert_close(shares.mean(dim=1), torch.full((3,), 0.5, dtype=torch.float64), atol=0.04, rtol=0)
    correlations = torch.corrcoef(shares) - torch.eye(3)
    assert correlations.abs().max() < 0.13


def test_every_other_class_is_drawn_as_often():
    torch.manual_seed(0)
    sampler, labels = ClassSampler(_CLASSES, 0.25), torch.tensor([0])
    times = torch.zeros(_CLASSES)
    for step in range(2000):
        times[sampler(labels, torch.tensor(step))[0]] += 1
    assert times[0] == 2000
    expected = 2000 * 9 / 39
    assert ((times[1:] - expected).abs() < 5 * expected**0.5).all()


def test_a_resumed_run_draws_what_it_would_have_drawn():
    torch.manual_seed(1)
    loss, (features, labels) = _loss("arcface", sample_rate=0.3), _batch()
    for _ in range(3):
        loss.step()
    torch.manual_seed(2)
    resumed = _loss("arcface", sample_rate=0.3)
    resumed.load_state_dict(loss.state_dict())
    for _ in range(3):
        assert torch.equal(resumed(features, labels), loss(features, labels))
        torch.rand(5)  # other random draws do not matter
        before = loss.sampler(labels, loss.iteration)[0]
        loss.step()
        resumed.step()
        assert not torch.equal(before, loss.sampler(labels, loss.iteration)[0])
