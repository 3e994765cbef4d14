"""Bounds of error rates from few people."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.bootstrap import Estimate
from app.evaluation.liveness.error_bounds import ErrorCount, ErrorRate, least_people, upper_bound


@pytest.mark.parametrize("people", [10, 30, 100, 1000])
def test_no_error_gives_the_rule_of_three(people):
    assert upper_bound(0, people) == pytest.approx(3 / people, rel=0.15)
    assert upper_bound(0, people) < 3 / people


@given(st.integers(1, 200).flatmap(lambda people: st.tuples(st.integers(0, people - 1), st.just(people))))
def test_the_bound_leaves_a_chance_of_5_percent(counts):
    errors, people = counts
    bound = upper_bound(errors, people)
    chance = sum(comb(people, k) * bound**k * (1 - bound) ** (people - k) for k in range(errors + 1))
    assert chance == pytest.approx(0.05, abs=1e-6)
    assert bound > errors / people


def test_the_bound_of_many_people_is_near_the_normal_one():
    assert upper_bound(600, 5000) == pytest.approx(0.12 + 1.645 * np.sqrt(0.12 * 0.88 / 5000), abs=3e-4)


def test_the_bound_is_1_if_everybody_had_an_error_or_nobody_is_there():
    assert upper_bound(3, 3) == 1
    assert upper_bound(0, 0) == 1


@pytest.mark.parametrize(("rate", "people"), [(0.01, 299), (0.05, 59), (0.10, 29)])
def test_people_needed_to_show_a_rate(rate, people):
    assert least_people(rate) == people
    assert upper_bound(0, people) <= rate < upper_bound(0, people - 1)


def test_photos_of_one_person_are_one_observation():
    count = ErrorCount.of(np.zeros(600, np.bool_), ("ann", "bob", "cleo") * 200)
    assert (count.photos, count.people, count.wrong_people) == (600, 3, 0)
    assert not count.has_figure
    assert count.at_most == pytest.approx(1 - 0.05 ** (1 / 3))
    assert ErrorRate.of(count, Estimate(0.0, (0.0, 0.0))).estimate is None


def test_no_error_among_enough_people_has_the_bound_as_interval():
    people = tuple(map(str, range(100)))
    none = ErrorRate.of(ErrorCount.of(np.zeros(100, np.bool_), people), Estimate(0.0, (0.0, 0.0)))
    assert none.estimate == Estimate(0.0, (0.0, upper_bound(0, 100)))
    all_wrong = ErrorRate.of(ErrorCount.of(np.ones(100, np.bool_), people), Estimate(1.0, (1.0, 1.0)))
    assert all_wrong.estimate == Estimate(1.0, (1 - upper_bound(0, 100), 1.0))
