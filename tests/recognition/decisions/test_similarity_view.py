import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.errors import CalibrationMissing
from app.recognition.decisions.policy import Rule
from app.recognition.decisions.similarity_view import EXACT, SimilarityView
from app.types import Candidate

OWN = Rule(0.4, 0.3604, 0.45)
COARSE = SimilarityView.of(lambda: OWN, is_exact=False)
SIMILARITIES = st.floats(-1, 1)


def exactly(threshold):
    return Rule(threshold, threshold, threshold)


def not_calibrated():
    raise CalibrationMissing("no calibration")


def test_who_may_read_templates_sees_everything():
    assert SimilarityView.of(not_calibrated, is_exact=True) == EXACT  # and needs no rule of the collection's own
    assert EXACT.seen(-0.123456) == -0.123456
    assert EXACT.rule(exactly(-1)) == exactly(-1)


def test_others_see_from_the_doubt_range_on_and_three_decimals():
    assert COARSE.least == 0.361
    seen = [COARSE.seen(each) for each in (-1, 0.3609, 0.361, 0.54321, 0.54399, 0.99999994)]
    assert seen == [None, None, 0.361, 0.543, 0.543, 1.0]
    candidates = [Candidate("ada", None, "f", 0.71288), Candidate("bob", None, "g", 0.36)]
    assert [each.similarity for each in COARSE.candidates(candidates)] == [0.712]
    assert COARSE.difference(0.712 - 0.581) == 0.131


@pytest.mark.parametrize(("threshold", "decides"), [(-1, 0.361), (0.555, 0.555), (0.5551, 0.556), (1, 1)])
def test_a_threshold_has_steps_and_is_never_below_what_is_seen(threshold, decides):
    assert COARSE.rule(exactly(threshold)).threshold == decides


@given(SIMILARITIES, SIMILARITIES)
def test_no_threshold_tells_more_than_the_answer_does(similarity, threshold):
    """The verdict on the unrounded similarity follows from the one that is shown."""
    assume(abs(similarity * 1000 - round(similarity * 1000)) > 1e-3)  # which is taken for the step itself
    rule, shown = COARSE.rule(exactly(threshold)), COARSE.seen(similarity)
    is_match = rule.threshold <= similarity
    assert is_match == (shown is not None and rule.outcome(shown) == "match")
