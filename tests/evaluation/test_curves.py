"""Error rates, compared with their definitions as loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.curves import Comparisons, auc, eer, is_supported, label, tar_at, threshold_at

# A coarse grid, so that ties are common.
similarity = st.integers(-10, 10).map(lambda each: each / 10)
genuine_similarity = similarity | st.just(-math.inf)
weighted = st.lists(st.tuples(similarity, st.integers(0, 3)), min_size=1, max_size=30)
genuine_weighted = st.lists(st.tuples(genuine_similarity, st.integers(0, 3)), min_size=1, max_size=30)


def curve_of(genuine, impostor):
    (values, weights), (others, other_weights) = zip(*genuine, strict=True), zip(*impostor, strict=True)
    comparisons = Comparisons(np.array(values, float), np.array(others, float))
    return comparisons.curve(np.array(weights, float), np.array(other_weights, float))


def accepted(comparisons, threshold):
    return sum(weight for value, weight in comparisons if value >= threshold) / sum(weight for _, weight in comparisons)


def evenly(*values):
    return [(value, 1) for value in values]


@given(genuine_weighted, weighted)
def test_rates_are_shares_at_least_as_similar(genuine, impostor):
    curve = curve_of(genuine, impostor)
    assert (np.diff(curve.thresholds) > 0).all()
    for threshold, far, tar in zip(curve.thresholds, curve.far, curve.tar, strict=True):
        for rate, comparisons in ((far, impostor), (tar, genuine)):
            if sum(weight for _, weight in comparisons):
                assert rate == pytest.approx(accepted(comparisons, threshold))
            else:
                assert math.isnan(rate)


@given(genuine_weighted, weighted)
def test_the_auc_counts_wins_and_half_the_ties(genuine, impostor):
    wins = total = 0.0
    for value, weight in genuine:
        for other, other_weight in impostor:
            wins += weight * other_weight * (1.0 if value > other else 0.5 if value == other else 0.0)
            total += weight * other_weight
    result = auc(curve_of(genuine, impostor))
    assert result == pytest.approx(wins / total) if total else math.isnan(result)


@given(genuine_weighted, weighted, st.sampled_from([0.5, 0.1, 0.01]))
def test_tar_is_the_greatest_that_the_far_allows(genuine, impostor, far):
    if not all(sum(weight for _, weight in each) for each in (genuine, impostor)):
        return
    curve = curve_of(genuine, impostor)
    everywhere = [value for value, _ in genuine + impostor if value > -math.inf] + [2.0]
    allowed = [at for at in everywhere if accepted(impostor, at) <= far + 1e-12]
    assert tar_at(curve, far) == pytest.approx(max(accepted(genuine, at) for at in allowed))
    threshold = curve.thresholds[threshold_at(curve, far)]
    assert threshold == min([*allowed, threshold])
    assert accepted(impostor, threshold) <= far + 1e-12


@given(genuine_weighted, weighted)
def test_the_eer_is_where_both_errors_differ_least(genuine, impostor):
    curve = curve_of(genuine, impostor)
    if not all(sum(weight for _, weight in each) for each in (genuine, impostor)):
        assert math.isnan(eer(curve))
        return
    errors = [(accepted(impostor, at), 1 - accepted(genuine, at)) for at in curve.thresholds]
    least = min(abs(far - frr) for far, frr in errors)
    assert any(
        eer(curve) == pytest.approx((far + frr) / 2) for far, frr in errors if abs(far - frr) == pytest.approx(least)
    )


def test_by_hand():
    curve = curve_of(evenly(0.9, 0.8, 0.4, -math.inf), evenly(0.5, 0.3, 0.2, 0.1, 0.0))
    assert auc(curve) == pytest.approx((5 + 5 + 4 + 0) / 20)
    assert tar_at(curve, 0.2) == 0.75  # one of five may pass
    assert tar_at(curve, 0.19) == 0.5
    assert curve.thresholds[threshold_at(curve, 0.2)] == 0.4
    assert eer(curve) == pytest.approx((0.2 + 0.25) / 2)


def test_how_many_impostors_a_rate_takes():
    assert is_supported(1e-3, 10_000)
    assert not is_supported(1e-3, 9_999)
    assert [label(rate) for rate in (1e-1, 1e-6)] == ["1e-1", "1e-6"]
