"""Thresholds for a camera: they keep the tolerated rates, or too few people are refused."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import CalibrationTooSmall, EvaluationInvalid
from app.evaluation.liveness.liveness_choice import choose_for_camera
from app.evaluation.liveness.liveness_evaluation import RateLimits
from app.evaluation.liveness.presentations import Presentations

DRAWN = np.random.default_rng(11)


def presentations(name, scores):
    return Presentations(name, np.array(scores, np.float64), tuple(f"{name}{at}" for at in range(len(scores))))


def figure(rate):
    """Return the figure of a rate that has one."""
    assert rate.estimate is not None
    return rate.estimate


LIVE = presentations("live", DRAWN.uniform(0.2, 1, 100))
PRINTS, SCREENS = (presentations(name, DRAWN.uniform(0, 0.7, 60)) for name in ("print", "screen"))


def test_live_people_alone_give_a_threshold_for_bpcer():
    chosen = choose_for_camera(LIVE, [], RateLimits(max_bpcer=0.05), replicates=50)
    below = (LIVE.scores < chosen.thresholds.attack_below).mean()
    assert chosen.thresholds.live_from == chosen.thresholds.attack_below
    assert below == pytest.approx(0.05)
    assert figure(chosen.bpcer).value == pytest.approx(below)
    low, high = figure(chosen.bpcer).interval
    assert low < 0.05 < high
    assert chosen.apcer == {}


def test_attacks_add_their_rates_to_the_same_threshold():
    alone = choose_for_camera(LIVE, [], RateLimits(max_bpcer=0.05), replicates=5)
    chosen = choose_for_camera(LIVE, [PRINTS, presentations("mask", [0.9])], RateLimits(0.05), replicates=5)
    assert chosen.thresholds.attack_below == pytest.approx(alone.thresholds.attack_below, abs=0.02)
    assert chosen.apcer["print"].estimate is not None
    assert chosen.apcer["mask"].estimate is None


def test_both_rates_leave_scores_uncertain():
    chosen = choose_for_camera(LIVE, [PRINTS, SCREENS], RateLimits(0.05, 0.05), replicates=5)
    assert chosen.thresholds.attack_below < chosen.thresholds.live_from
    assert figure(chosen.bpcer).value <= 0.05
    assert max(figure(rate).value for rate in chosen.apcer.values()) <= 0.05


@pytest.mark.parametrize(
    ("live", "species", "limits", "named"),
    [
        (presentations("live", [0.9] * 58), [], RateLimits(0.05), "58 people .* needs 59 people and 30 photos"),
        (presentations("live", [0.9] * 12), [], RateLimits(0.5), "needs 10 people and 30 photos"),
        (LIVE, [PRINTS, presentations("mask", [0.1] * 28)], RateLimits(None, 0.1), "mask: 28 people"),
    ],
)
def test_too_few_people_are_refused(live, species, limits, named):
    with pytest.raises(CalibrationTooSmall, match=named):
        choose_for_camera(live, species, limits, replicates=2)


def test_what_shows_no_rate_is_refused():
    with pytest.raises(EvaluationInvalid, match="needs photos of attacks"):
        choose_for_camera(LIVE, [], RateLimits(0.05, 0.1))
    with pytest.raises(EvaluationInvalid, match="print is simulated"):
        choose_for_camera(LIVE, [replace(PRINTS, is_simulated=True)], RateLimits(0.05))
    with pytest.raises(EvaluationInvalid, match="reach the highest score"):
        choose_for_camera(LIVE, [presentations("print", [1.0] * 60)], RateLimits(None, 0.1), replicates=2)
