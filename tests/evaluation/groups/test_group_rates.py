import numpy as np
import pytest

from app.evaluation.groups.group_rates import Tally, measure_rate


def tally(errors, pairs, people=40, cases=780, independent=20, source=None):
    """Return a tally in which each error comes from another pair of people, unless `source` gives their number."""
    with_error = int(errors[0]) if source is None else source
    return Tally(np.array(errors, float), np.array(pairs, float), people, cases, with_error, independent)


def test_ten_errors_of_ten_people_are_a_rate():
    rate = measure_rate(tally([10, 8, 14], [1000, 1000, 1000], people=10))
    assert rate.errors_from == 10
    assert (rate.errors, rate.pairs, rate.people, rate.upper, rate.note) == (10, 1000, 10, None, None)
    assert rate.rate is not None
    assert rate.rate.value == 0.01
    assert rate.rate.interval == pytest.approx((0.008, 0.014), abs=2e-4)


def test_fewer_errors_are_no_rate():
    rate = measure_rate(tally([9, 9], [1000, 1000]))
    assert rate.rate is None
    assert rate.upper is None
    assert rate.note == "too few pairs: fewer than 10 independent errors"


def test_errors_of_the_same_people_count_once():
    """Two siblings with five photos each give 25 errors, which are one observation."""
    assert measure_rate(tally([25, 25], [1000, 1000], source=1)).rate is None
    assert measure_rate(tally([25, 25], [1000, 1000], source=10)).rate is not None


def test_fewer_errors_are_a_rate_if_ten_were_expected():
    assert measure_rate(tally([3, 2, 4], [4000] * 3, cases=999), expected=0.01).rate is None
    rate = measure_rate(tally([12, 8, 16], [4000] * 3, cases=1000, source=3), expected=0.01)
    assert rate.rate is not None
    assert rate.rate.value == 0.003


def test_fewer_people_are_no_rate():
    rate = measure_rate(tally([500, 500], [1000, 1000], people=9))
    assert (rate.rate, rate.note) == (None, "too few people: fewer than 10")
    assert measure_rate(tally([0, 0], [0, 0], people=30)).note == "no pairs"


def test_without_errors_the_rule_of_three_gives_a_bound():
    """No error among 20 independent comparisons: if the rate were 3/20, this would have a probability of 4 %."""
    rate = measure_rate(tally([0, 0], [1000, 1000], cases=1000), expected=0.01)
    assert rate.rate is not None
    assert (rate.rate.value, rate.rate.interval, rate.upper) == (0, None, 3 / 20)
    assert (1 - 3 / 20) ** 20 < 0.05
    assert measure_rate(tally([0, 0], [10, 10], independent=2, people=10)).upper == 1
