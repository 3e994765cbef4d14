import numpy as np
import pytest

from app.errors import TrainingInvalid
from app.training.data.source import Labels
from app.training.finetune.adapter_training import AdapterSettings, initial_adapter, train_adapter
from app.types import Floats

DIMENSION, VIEWS = 16, 2


def shifted(people, photos, seed, *, first=0) -> tuple[Floats, Labels]:
    """Return raw features (n, 2, d) with a common shift, and with most noise in uninformative directions."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), photos) + first
    own = np.stack([np.random.default_rng([1, each]).normal(size=DIMENSION) for each in labels])
    spread = np.where(np.arange(DIMENSION) < 4, 2.0, 0.4)
    noise = rng.normal(size=(len(labels), VIEWS, DIMENSION)) * spread
    return (own[:, None] + noise + 3.0).astype(np.float32), labels - first


def missed(features, labels, fmr=0.01):
    """Return the FNMR at a false match rate."""
    units = features.mean(axis=1)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    first, second = np.triu_indices(len(labels), 1)
    scores, is_same = (units @ units.T)[first, second], labels[first] == labels[second]
    return float((scores[is_same] < np.quantile(scores[~is_same], 1 - fmr)).mean())


def test_people_who_were_never_seen_are_missed_less():
    adapter = train_adapter(*shifted(60, 5, seed=0), AdapterSettings())
    views, labels = shifted(60, 5, seed=1, first=1000)
    initial = initial_adapter(*shifted(60, 5, seed=0), AdapterSettings().shrinkage)
    before, centred, after = (missed(each, labels) for each in (views, initial.apply(views), adapter.apply(views)))
    assert after < centred < before
    assert after < before / 2


def test_the_same_seed_learns_the_same():
    one, two = (train_adapter(*shifted(10, 3, seed=0), AdapterSettings(steps=5)) for _ in range(2))
    np.testing.assert_array_equal(one.matrix, two.matrix)
    np.testing.assert_array_equal(one.bias, two.bias)


def test_a_strong_decay_stays_at_the_start():
    views, labels = shifted(10, 3, seed=0)
    initial = initial_adapter(views, labels, 3.0)
    free, held = (train_adapter(views, labels, AdapterSettings(steps=30, decay=decay)) for decay in (0, 1e3))
    strayed = [np.abs(each.matrix - initial.matrix).mean() for each in (free, held)]
    assert strayed[1] < strayed[0] / 2


def test_the_start_takes_the_mean_away_and_evens_the_spread():
    views, labels = shifted(80, 6, seed=0)
    initial = initial_adapter(views, labels, 0.0)
    units = views / np.linalg.norm(views, axis=2, keepdims=True)
    moved = units @ initial.matrix.T + initial.bias
    np.testing.assert_allclose(moved.mean(axis=(0, 1)), 0, atol=1e-4)
    photos = moved.mean(axis=1)
    apart = photos - np.stack([photos[labels == each].mean(axis=0) for each in labels])
    spread = apart.std(axis=0)
    assert spread.max() / spread.min() < 1.01


def test_people_with_one_photo_each_teach_nothing():
    with pytest.raises(TrainingInvalid, match="two photos"):
        train_adapter(*shifted(20, 1, seed=0), AdapterSettings())
