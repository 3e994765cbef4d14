import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.evaluation.groups.chance import chance_of, deal_groups, dealt_fmrs, dealt_fnmrs
from app.evaluation.groups.differential import compare_groups, gini, worst_over_best, worst_over_geometric_mean
from app.evaluation.groups.group_rates import Tally

RATES = arrays(float, st.tuples(st.integers(1, 3), st.integers(2, 6)), elements=st.floats(1e-6, 1))


def test_measures_by_hand():
    rates = np.array([[0.001, 0.002, 0.004]])
    assert worst_over_geometric_mean(rates) == pytest.approx(2)
    assert worst_over_best(rates) == pytest.approx(4)
    assert gini(rates) == pytest.approx(2 * (1 + 3 + 2) / (2 * 3 * 2 * 7 / 3))


def test_a_group_without_errors_makes_ratios_infinite():
    rates = np.array([[0.0, 0.1], [0.0, 0.0]])
    assert worst_over_geometric_mean(rates)[0] == math.inf
    assert worst_over_best(rates)[0] == math.inf
    assert gini(rates)[0] == 1
    assert np.isnan([worst_over_geometric_mean(rates)[1], worst_over_best(rates)[1], gini(rates)[1]]).all()


@given(RATES)
def test_properties(rates):
    over_mean, over_best, coefficient = worst_over_geometric_mean(rates), worst_over_best(rates), gini(rates)
    assert (over_mean >= 1 - 1e-9).all()
    assert (over_best >= over_mean - 1e-9).all()
    assert ((coefficient >= -1e-9) & (coefficient <= 1 + 1e-9)).all()
    for measure, values in ((worst_over_geometric_mean, over_mean), (worst_over_best, over_best), (gini, coefficient)):
        np.testing.assert_allclose(measure(rates / 2), values, rtol=1e-6, atol=1e-9)  # ratios do not depend on a scale
        np.testing.assert_allclose(measure(rates[:, ::-1]), values, rtol=1e-6, atol=1e-9)  # nor on the order
        np.testing.assert_allclose(measure(np.tile(rates[:, :1], 3)), gini(rates) * 0 + (measure is not gini))


def tally(*errors):
    return Tally(np.array(errors, float), np.full(len(errors), 100.0), 50, 50, 50, 50)


def test_the_worst_and_the_best_group():
    compared = compare_groups([tally(10, 10, 12), tally(40, 40, 48), tally(20, 20, 24)])
    assert compared is not None
    assert (compared.worst, compared.best) == (1, 0)
    assert compared.measures["worst_over_geometric_mean"].value == pytest.approx(2)
    assert compared.measures["worst_over_best"].interval == pytest.approx((4, 4))


def test_an_interval_may_end_at_infinity():
    compared = compare_groups([tally(10, 0, 10, 10), tally(20, 20, 20, 20)])
    assert compared is not None
    assert compared.measures["worst_over_best"].interval == (2, math.inf)


def test_what_cannot_be_compared():
    assert compare_groups([tally(10, 10)]) is None
    assert compare_groups([tally(0, 1), tally(0, 1)]) is None


def test_a_deal_keeps_the_sizes_of_groups():
    dealt = deal_groups(np.array([0, 0, 0, 1, 2, 2]), 40)
    assert (np.sort(dealt, axis=1) == [0, 0, 0, 1, 2, 2]).all()
    assert len({tuple(deal) for deal in dealt}) > 10
    np.testing.assert_array_equal(dealt, deal_groups(np.array([0, 0, 0, 1, 2, 2]), 40))


def test_rates_of_a_deal_by_hand():
    """Four people with 1, 2, 3 and 1 photos: inside {0, 1} 2 impostor pairs, inside {2, 3} 3."""
    dealt, photos = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), np.array([1.0, 2, 3, 1])
    first, second = np.array([0, 2, 2, 1]), np.array([1, 3, 3, 3])
    np.testing.assert_allclose(dealt_fmrs(dealt, photos, first, second, 2), [[1 / 2, 2 / 3], [0, 1 / 2]])
    np.testing.assert_allclose(
        dealt_fnmrs(dealt, np.array([1.0, 0, 2, 0]), np.array([1.0, 1, 3, 1]), 2), [[1 / 2, 2 / 4], [3 / 4, 0]]
    )


def test_a_measure_among_random_groups():
    rates = np.array([[0.1, 0.1], [0.1, 0.2], [0.1, 0.3], [0.1, 0.4]])
    chance = chance_of("worst_over_best", 3.0, rates)
    assert chance is not None
    assert (chance.median, chance.upper, chance.p_value) == pytest.approx((2, 4, 3 / 5))
    assert chance_of("gini", 0.5, np.empty((0, 2))) is None


def test_equal_groups_are_seldom_significant():
    """Under random labels, the p-value is below 0.1 in about a tenth of the cases."""
    generator = np.random.default_rng(3)
    low = 0
    for _ in range(100):
        errors = generator.binomial(20, 0.3, 60).astype(float)
        pairs, groups = np.full(60, 20.0), np.arange(60) % 3
        rates = dealt_fnmrs(deal_groups(groups, 200), errors, pairs, 3)
        observed = worst_over_best(dealt_fnmrs(groups[None], errors, pairs, 3))[0]
        chance = chance_of("worst_over_best", observed, rates)
        assert chance is not None
        low += chance.p_value < 0.1
    assert 3 <= low <= 20
