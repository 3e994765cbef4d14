import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recognition.decisions.calibration.adaptation import (
    LARGEST_STEP,
    LEAST_PEOPLE,
    PRIOR_PROBES,
    STATED_FMR,
    adapted,
    aims,
    moves,
    shrunk,
    step,
)
from app.recognition.decisions.calibration.moments import moments_of_all, moments_of_gallery
from app.recognition.decisions.policy import Policy
from app.types import ImpostorMoments
from tests.recognition.fakes import calibration

MOMENTS = ImpostorMoments(0.1, 0.087, 2835)
BASE = replace(calibration(), moments=MOMENTS)

means, deviations = st.floats(-0.2, 0.5), st.floats(0.045, 0.17)
seen = st.builds(ImpostorMoments, means, deviations, st.floats(20, 5000))
rates = st.floats(1e-9, 0.5)


def unit(seed, count, dimension=64, *, common=0.0):
    """Unit vectors of different people, drawn towards a common direction."""
    drawn = np.random.default_rng(seed).standard_normal((count, dimension)) + common
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def gallery(vectors, below):
    found = moments_of_gallery(vectors, below)
    assert found is not None
    return found


# The adapted curve


@given(seen, st.integers(20, 5000))
def test_rates_still_fall_with_similarity(moments, people):
    curve = adapted(BASE, moments, people=people)
    found = [curve.fmr(similarity) for similarity in np.linspace(-1, 1, 101)]
    assert all(0 <= later <= earlier <= 1 for earlier, later in itertools.pairwise(found))


@given(seen, rates)
def test_threshold_and_rate_stay_inverse(moments, rate):
    curve = adapted(BASE, moments, people=50)
    threshold = curve.threshold(rate)
    if threshold < 1:
        assert curve.fmr(threshold) == pytest.approx(rate, rel=1e-5)
    assert curve.fmr(1.0) <= rate or threshold == 1


def test_without_data_the_curve_is_the_fitted_one():
    of_gallery, of_probes = aims(MOMENTS, None, None)
    assert (of_gallery.mean, of_gallery.deviation) == (MOMENTS.mean, MOMENTS.deviation)
    assert (of_probes.mean, of_probes.deviation) == (MOMENTS.mean, MOMENTS.deviation)
    assert adapted(BASE, None, people=0) is BASE
    assert adapted(calibration(), MOMENTS, people=50).is_adapted is False  # a file of version 1


@given(rates)
def test_the_fitted_moments_change_no_threshold(rate):
    assert adapted(BASE, MOMENTS, people=50).threshold(rate) == pytest.approx(BASE.threshold(rate), abs=1e-12)


counted = st.floats(0.0011, 0.5)


@given(counted)
def test_a_similarity_is_judged_by_its_distance_from_the_mean_in_deviations(rate):
    curve = adapted(BASE, ImpostorMoments(0.2, 2 * MOMENTS.deviation, 50), people=50)
    expected = 0.2 + 2 * (BASE.threshold(rate) - MOMENTS.mean)
    assert curve.threshold(rate) == pytest.approx(min(expected, 1))


@given(st.floats(1e-7, 0.0009), st.sampled_from([(0.25, 0.2), (0.5, 0.4), (1.0, 0.4)]))
def test_the_tail_of_a_moved_curve_is_wider(rate, case):
    move, share = case
    shift = move * MOMENTS.deviation
    curve = adapted(BASE, replace(MOMENTS, mean=MOMENTS.mean + shift), people=50)
    expected = BASE.threshold(rate) + shift + share * (BASE.threshold(rate) - BASE.tail.start)
    assert curve.threshold(rate) == pytest.approx(min(expected, 1))


@given(seen, rates, st.integers(20, 1000))
def test_doubt_lies_around_the_threshold_and_shrinks_with_more_people(moments, rate, people):
    few, many = (adapted(BASE, moments, people=count) for count in (people, 2 * people))
    low, high = few.doubt(rate)
    assert low <= few.threshold(rate) <= high <= 1
    assert low <= many.doubt(rate)[0]
    assert many.doubt(rate)[1] <= high


def test_probes_have_a_curve_of_their_own():
    other = adapted(BASE, ImpostorMoments(0.0, 0.08, 50), people=50)
    policy = Policy(BASE, 0.5, probe_calibration=other)
    assert policy.for_probes().for_verification().threshold == other.threshold(1e-4)
    assert policy.for_verification().threshold == BASE.threshold(1e-4)
    assert Policy(BASE, 0.5).for_probes().calibration is BASE


# Aims


@given(st.floats(20, 400))
def test_a_moved_curve_is_widened_for_its_tail_and_an_unmoved_one_is_not(people):
    moved, _ = aims(MOMENTS, ImpostorMoments(0.3, MOMENTS.deviation, people), None)
    assert moved.deviation == pytest.approx(MOMENTS.deviation * (1 + 2 / people), rel=1e-6)
    unmoved, _ = aims(MOMENTS, ImpostorMoments(MOMENTS.mean, MOMENTS.deviation, people), None)
    assert unmoved.deviation == pytest.approx(MOMENTS.deviation)


def test_thresholds_fall_only_by_more_than_chance_but_rise_at_once():
    low, high, far = (ImpostorMoments(0.1 + move, MOMENTS.deviation, 50) for move in (-0.01, 0.01, -0.05))
    assert aims(MOMENTS, low, None)[0].mean == MOMENTS.mean
    assert aims(MOMENTS, high, None)[0].mean == pytest.approx(0.1 + 0.01 * 50 / 52)
    errors = (0.05 / (0.5 * MOMENTS.deviation)) ** 2 * 50
    assert aims(MOMENTS, far, None)[0].mean == pytest.approx(0.1 - 0.05 * 50 / 52 * (1 - 4 / errors))


@given(seen)
def test_more_people_move_the_curve_further_towards_their_own_moments(moments):
    few, many = (shrunk(MOMENTS, replace(moments, count=count), prior_count=10) for count in (20, 2000))
    assert abs(few.mean - MOMENTS.mean) <= abs(many.mean - MOMENTS.mean) <= abs(moments.mean - MOMENTS.mean) + 1e-12
    assert shrunk(MOMENTS, replace(moments, count=10), prior_count=10).mean == pytest.approx(
        (MOMENTS.mean + moments.mean) / 2
    )


@pytest.mark.parametrize("moments", [ImpostorMoments(0.99, 0.0, 1e9), ImpostorMoments(-0.99, 10.0, 1e9)])
def test_absurd_moments_are_cut(moments):
    found = shrunk(MOMENTS, moments, prior_count=10)
    assert abs(found.mean - MOMENTS.mean) <= 0.5
    assert 0.5 <= found.deviation / MOMENTS.deviation <= 2 + 1e-9


def test_a_small_gallery_teaches_nothing_nor_do_probes_against_it():
    small = ImpostorMoments(0.3, 0.1, LEAST_PEOPLE - 1)
    assert [each.mean for each in aims(MOMENTS, small, ImpostorMoments(0.3, 0.1, 1e6))] == [MOMENTS.mean] * 2


def test_probes_follow_the_gallery_until_enough_were_seen():
    gallery, probes = ImpostorMoments(0.3, 0.1, 1e9), ImpostorMoments(0.0, 0.09, PRIOR_PROBES)
    assert aims(MOMENTS, gallery, None)[1].mean == pytest.approx(0.3)
    assert aims(MOMENTS, gallery, probes)[1].mean == pytest.approx(0.15)


# Steps


@given(seen, seen)
def test_no_step_moves_a_threshold_further_than_stated(now, aim):
    taken = step(BASE, now, aim)
    before, after = (adapted(BASE, each, people=50).threshold(STATED_FMR) for each in (now, taken.moments))
    assert abs(after - before) <= LARGEST_STEP + 1e-9
    assert max(moves(BASE, now, taken.moments)) <= LARGEST_STEP + 1e-9


@given(seen, seen)
def test_steps_arrive(now, aim):
    for _ in range(60):
        taken = step(BASE, now, aim)
        if taken.is_converged:
            break
        now = taken.moments
    assert taken == step(BASE, aim, aim)


# Moments


def test_moments_of_all_pairs_are_exact():
    vectors, person = unit(0, 60, common=0.3), np.arange(60) // 3
    scores = (vectors @ vectors.T).astype(np.float64)
    pairs = np.array(
        [
            (
                scores[np.ix_(person == one, person == other)].mean(),
                (scores[np.ix_(person == one, person == other)] ** 2).mean(),
            )
            for one, other in itertools.permutations(range(20), 2)
        ]
    )
    mean, square = pairs.mean(axis=0)
    found = moments_of_all(vectors, person)
    assert (found.mean, found.deviation) == pytest.approx((mean, np.sqrt(square - mean**2)), rel=1e-5)
    assert found.count == 20


def test_a_person_enrolled_twice_does_not_teach():
    vectors = unit(1, 50, common=0.2)
    twice = np.concatenate([vectors, vectors[:10]])
    alone, found, spoilt = (gallery(each, below) for each, below in ((vectors, 0.9), (twice, 0.9), (twice, 1.1)))
    assert found.deviation == pytest.approx(alone.deviation, rel=0.05)
    assert spoilt.deviation > found.deviation


def test_moments_of_all_and_of_a_gallery_agree():
    vectors = unit(2, 80, common=0.2)
    of_all, of_gallery = moments_of_all(vectors, np.arange(80)), gallery(vectors, 1.1)
    assert (of_all.mean, of_all.deviation) == pytest.approx((of_gallery.mean, of_gallery.deviation), rel=1e-5)


def test_a_handful_of_people_has_no_moments():
    assert moments_of_gallery(unit(3, 14), 1.1) is None
    assert moments_of_gallery(unit(3, 1), 1.1) is None
