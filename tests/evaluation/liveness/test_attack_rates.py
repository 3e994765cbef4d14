"""APCER and BPCER at all thresholds, against counting one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.liveness.attack_rates import LivenessScores, choose_thresholds, rates_at, separation
from app.evaluation.liveness.presentations import Presentations
from app.recognition.liveness.thresholds import LivenessThresholds

SCORES = st.lists(st.sampled_from(np.linspace(0, 1, 21).tolist()), min_size=1, max_size=30)
RATE = st.floats(0.01, 0.99)


def presentations(name, scores):
    return Presentations(name, np.array(scores, np.float64), tuple(f"{name}{number}" for number in range(len(scores))))


def scored(live, *attacks):
    return LivenessScores(
        presentations("live", live), [presentations(f"kind{n}", each) for n, each in enumerate(attacks)]
    )


def curves_of(scores):
    return scores.curves(np.ones(scores.people))


def share(values):
    return sum(values) / len(values)


@given(SCORES, SCORES, SCORES, st.floats(0, 1), st.floats(0, 1))
def test_rates_are_those_of_counting(live, first, second, one, other):
    attack_below, live_from = sorted((one, other))
    rates = rates_at(
        curves_of(scored(live, first, second)), LivenessThresholds(live_from, attack_below), np.array([0, 1])
    )
    by_kind = [share([score >= live_from for score in each]) for each in (first, second)]
    bpcer = share([score < attack_below for score in live])
    assert [rates["apcer:0"], rates["apcer:1"]] == pytest.approx(by_kind)
    assert rates["bpcer"] == pytest.approx(bpcer)
    assert rates["apcer"] == pytest.approx(max(by_kind))
    assert rates["acer"] == pytest.approx((max(by_kind) + bpcer) / 2)


@given(SCORES, SCORES, SCORES)
def test_auc_is_how_often_a_live_person_has_the_higher_score(live, first, second):
    figures = separation(curves_of(scored(live, first, second)), np.array([0, 1]))
    for name, attacks in (("auc", first + second), ("auc:0", first), ("auc:1", second)):
        wins = [(one > other) + (one == other) / 2 for one in live for other in attacks]
        assert figures[name] == pytest.approx(share(wins))


@given(SCORES, SCORES, SCORES)
def test_a_rate_at_a_fixed_one_is_the_best_of_all_thresholds(live, first, second):
    figures = separation(curves_of(scored(live, first, second)), np.array([0, 1]))
    points = []
    for threshold in [*live, *first, *second, 2.0]:
        apcer = max(share([score >= threshold for score in each]) for each in (first, second))
        points.append((apcer, share([score < threshold for score in live])))
    for rate in (0.01, 0.05, 0.10):
        assert figures[f"bpcer@{rate}"] == pytest.approx(min(bpcer for apcer, bpcer in points if apcer <= rate + 1e-9))
        assert figures[f"apcer@{rate}"] == pytest.approx(min(apcer for apcer, bpcer in points if bpcer <= rate + 1e-9))


@given(SCORES, SCORES, SCORES, RATE, RATE)
def test_chosen_thresholds_keep_the_rates(live, first, second, max_bpcer, max_apcer):
    """An attack with the highest score of all, 1, cannot be excluded by a threshold of at most 1."""
    scores, counted = scored(live, [min(score, 0.95) for score in first], second[:1]), np.array([0])
    curves = curves_of(scores)
    for limits in ({"max_bpcer": max_bpcer, "max_apcer": None}, {"max_bpcer": None, "max_apcer": max_apcer}):
        chosen = choose_thresholds(curves, counted, **limits)
        assert chosen.live_from == chosen.attack_below
        rates = rates_at(curves, chosen, counted)
        name = "bpcer" if limits["max_bpcer"] else "apcer"
        assert rates[name] <= limits[f"max_{name}"] + 1e-9
    both = choose_thresholds(curves, counted, max_bpcer=max_bpcer, max_apcer=max_apcer)
    rates = rates_at(curves, both, counted)
    assert rates["bpcer"] <= max_bpcer + 1e-9
    assert rates["apcer"] <= max_apcer + 1e-9


def test_thresholds_of_separate_scores_are_one_in_the_middle():
    curves = curves_of(scored([0.8, 0.9], [0.1, 0.2]))
    assert choose_thresholds(curves, np.array([0]), max_bpcer=0.1, max_apcer=0.1) == LivenessThresholds(0.8, 0.8)
    with pytest.raises(ValueError, match="is needed"):
        choose_thresholds(curves, np.array([0]), max_bpcer=None, max_apcer=None)


def test_thresholds_of_mixed_scores_leave_some_uncertain():
    curves = curves_of(scored([0.3, 0.8, 0.9], [0.1, 0.2, 0.6]))
    chosen = choose_thresholds(curves, np.array([0]), max_bpcer=0.01, max_apcer=0.01)
    assert chosen == LivenessThresholds(0.8, 0.3)


def test_photos_without_a_usable_face_are_in_no_rate():
    scores = scored([0.9, np.nan], [np.nan, 0.1])
    assert scores.people == 2
    assert rates_at(curves_of(scores), LivenessThresholds(0.5, 0.5), np.array([0]))["acer"] == 0


def test_people_count_as_often_as_they_are_drawn():
    live = Presentations("live", np.array([0.1, 0.9, 0.9]), ("ann", "bob", "bob"))
    scores = LivenessScores(live, [Presentations("print", np.array([0.2, 0.8]), ("ann", "bob"))])
    rates = rates_at(scores.curves(np.array([2.0, 1.0])), LivenessThresholds(0.5, 0.5), np.array([0]))
    assert rates["bpcer"] == pytest.approx(2 / 4)
    assert rates["apcer"] == pytest.approx(1 / 3)
