import pytest

from app.vision.attributes import Covering
from app.vision.attributes.coverings import covering
from app.vision.quality import Component
from app.vision.quality.signs import _from_log_odds, probability_covered

MOUTH = Component.MOUTH_OCCLUSION_PREVENTION


@pytest.mark.parametrize("log_odds", [-8.0, -2.0, 0.0, 1.0, 3.0])
def test_the_probability_is_that_of_the_network(log_odds):
    probability = probability_covered(_from_log_odds(log_odds))
    assert probability == pytest.approx(1 / (1 + 2.718281828**-log_odds), rel=1e-4)


def test_a_certain_finding_stays_below_one():
    assert probability_covered(_from_log_odds(9)) == pytest.approx(0.953, abs=1e-3)
    assert (probability_covered(100), probability_covered(0)) == (0, 1)


@pytest.mark.parametrize(
    ("component", "state"),
    [(18.2, Covering.COVERED), (49, Covering.COVERED), (51, Covering.VISIBLE), (97, Covering.VISIBLE)],
)
def test_the_more_probable_state(component, state):
    estimate = covering({MOUTH: component}, MOUTH)
    assert estimate is not None
    assert estimate.value is state
    assert 0.5 <= estimate.confidence <= 1


def test_what_was_not_measured_is_unknown():
    assert covering({Component.EYES_VISIBLE: 90.0}, MOUTH) is None
