"""Error versus discard, compared with its definition as a loop."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation import blocks
from app.evaluation.all_pairs import compare_all
from app.evaluation.curves import threshold_at
from app.evaluation.discard import (
    SHARES,
    DiscardCurve,
    figure_name,
    ideal_fnmr,
    pair_quality,
    rejected_count,
    supported_far,
)
from app.evaluation.values import Pairs
from app.evaluation.verification import similarities_of, verify
from tests.evaluation.fakes import embedded, random_people

quality = st.integers(0, 4).map(lambda each: each / 4) | st.just(-math.inf)
pair = st.tuples(quality, st.booleans())


def by_share(pairs, weights=None):
    """Return the FNMR at each share from (quality, is_error) of each pair."""
    qualities, errors = (np.array(each, float) for each in zip(*pairs, strict=True))
    weighted = np.ones(len(pairs)) if weights is None else np.array(weights, float)
    result = DiscardCurve(qualities).fnmr(weighted, weighted * errors)
    return [result[figure_name(share)] for share in SHARES]


def restated(pairs):
    """Return the same figures by sorting, skipping and counting."""
    ordered = [is_error for _, is_error in sorted(pairs)]
    left = [ordered[math.floor(len(pairs) * share + 1e-9) :] for share in SHARES]
    return [sum(each) / len(each) for each in left]


def test_by_hand():
    # Twenty pairs. The errors are the two with the lowest quality, the fifth lowest, and one of the best.
    pairs = [(place / 20, place in {0, 1, 4, 18}) for place in range(20)]
    assert SHARES == (0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
    assert by_share(pairs) == pytest.approx(
        [4 / 20, 4 / 20, 4 / 20, 3 / 19, 2 / 18, 2 / 17, 2 / 16, 1 / 15, 1 / 14, 1 / 12, 1 / 10]
    )


def test_a_face_that_was_not_found_is_an_error_until_it_is_rejected_first():
    pairs = [(-math.inf, True)] * 4 + [(0.0, False)] * 4 + [(0.5, False)] * 12
    assert by_share(pairs) == pytest.approx(
        [4 / 20, 4 / 20, 4 / 20, 3 / 19, 2 / 18, 1 / 17, 0, 0, 0, 0, 0],
    )
    assert pair_quality(np.array([0.3, np.nan, 0.9]), np.array([0.5, 0.6, np.nan])).tolist() == [
        0.3,
        -math.inf,
        -math.inf,
    ]


def test_a_tie_never_flatters():
    pairs = [(0.5, True)] * 10 + [(0.5, False)] * 10
    assert by_share(pairs)[-1] == 1
    assert by_share(pairs) == by_share(pairs[::-1])


@given(st.lists(pair, min_size=1, max_size=60))
def test_it_is_as_documented(pairs):
    assert by_share(pairs) == pytest.approx(restated(pairs))


@given(st.lists(st.tuples(pair, st.integers(0, 3)), min_size=1, max_size=30))
def test_a_weight_is_as_good_as_a_repetition(weighted):
    pairs, weights = [each for each, _ in weighted], [weight for _, weight in weighted]
    result, repeated = by_share(pairs, weights), [each for each, weight in weighted for _ in range(weight)]
    assert result == pytest.approx(restated(repeated)) if repeated else np.isnan(result).all()


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_nothing_is_better_than_the_ideal(errors):
    """A quality measure that knows each error; rounding down costs at most one pair."""
    result = np.array(by_share([(0.0 if is_error else 1.0, is_error) for is_error in errors]))
    shares = np.array([1 - (len(errors) - rejected_count(len(errors), share)) / len(errors) for share in SHARES])
    np.testing.assert_allclose(result, ideal_fnmr(result[0], shares), atol=1e-9)


def test_the_far_is_the_lowest_that_the_impostors_support():
    assert [supported_far(count) for count in (999, 1_000, 10_000, 100_000, 10**8)] == [None, 1e-2, 1e-3, 1e-3, 1e-3]


def every_pair(photos) -> Pairs:
    places = np.array(list(itertools.combinations(range(len(photos.photos)), 2)))
    people = photos.people[places]
    return Pairs(photos.photos, places, people[:, 0] == people[:, 1], np.arange(len(places)) % 3)


@pytest.mark.parametrize("size", [7, 1024])
@pytest.mark.parametrize("seed", range(3))
def test_every_pair_of_a_folder_gives_the_curve_of_these_pairs(seed, size, monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK", size)
    photos = random_people(seed, noise=1.0)
    pairs = every_pair(photos)
    compared = compare_all(photos, replicates=0)
    threshold = compared.curve.thresholds[threshold_at(compared.curve, 1e-2)]
    similarities, is_same = similarities_of(photos, pairs.places), pairs.is_same
    qualities = pair_quality(*photos.quality[pairs.places].T)
    is_error = ~(similarities >= threshold)
    expected = restated(list(zip(qualities[is_same].tolist(), is_error[is_same].tolist(), strict=True)))
    assert [compared.estimates[figure_name(share)].value for share in SHARES] == pytest.approx(expected)
    assert 0 < expected[0] == pytest.approx(1 - compared.estimates["tar@1e-2"].value)


def test_intervals_of_both_ways_agree():
    photos = random_people(4, people=25, photos=3, noise=1.0)
    given_pairs, every = verify(every_pair(photos), photos, replicates=60), compare_all(photos, replicates=60)
    for name in map(figure_name, SHARES):
        one, other = given_pairs.estimates[name], every.estimates[name]
        assert one.value == pytest.approx(other.value, abs=0.02)
        assert one.interval == pytest.approx(other.interval, abs=0.03)
        assert one.interval is not None
        assert one.interval[0] <= one.value <= one.interval[1]


def test_too_few_impostors_give_no_curve():
    photos = embedded([[1, 0], [1, 0.1], [0, 1], None], "aabb")
    assert figure_name(0.0) not in verify(every_pair(photos), photos, replicates=0).estimates
    assert figure_name(0.0) not in compare_all(photos, replicates=0).estimates
