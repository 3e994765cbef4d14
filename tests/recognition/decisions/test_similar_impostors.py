import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recognition.decisions.calibration.similar_impostors import SIMILAR_RATE, SimilarImpostorCurve
from app.recognition.decisions.calibration.templates import TemplateComparisons, TemplateScale, stranger_rate
from app.recognition.decisions.policy import Policy
from tests.recognition.fakes import calibration

EVERY = calibration()
SIMILAR = SimilarImpostorCurve(EVERY)


@given(st.floats(-1, 1))
def test_similar_impostors_are_accepted_more_often(similarity):
    assert SIMILAR.fmr(similarity) == min(EVERY.fmr(similarity) * SIMILAR_RATE, 1)


@pytest.mark.parametrize("fmr", [1e-2, 1e-4, 1e-6])
def test_a_rate_for_similar_impostors_needs_a_higher_threshold(fmr):
    assert SIMILAR.threshold(fmr) == EVERY.threshold(fmr / SIMILAR_RATE) > EVERY.threshold(fmr)
    assert SIMILAR.fmr(SIMILAR.threshold(fmr)) == pytest.approx(fmr)
    low, high = SIMILAR.doubt(fmr)
    assert low < SIMILAR.threshold(fmr) < high


@pytest.mark.parametrize(("faces", "probes"), [(1, 1), (4, 1), (3, 2)])
def test_templates_are_converted_as_for_all_impostors(faces, probes):
    comparisons = TemplateComparisons(1, faces, probes)
    assert TemplateScale.of(SIMILAR, comparisons) == TemplateScale.of(EVERY, comparisons)
    assert stranger_rate(SIMILAR, 0.5, comparisons) == pytest.approx(
        SIMILAR_RATE * stranger_rate(EVERY, 0.5, comparisons)
    )


def test_at_the_threshold_the_stated_rate_is_the_one_asked_for():
    policy = Policy(SIMILAR, 0.4)
    rule = policy.for_verification(3, max_fmr=1e-3)
    stated = policy.fmr(rule.threshold, 3)
    assert stated.value == pytest.approx(1e-3)
    assert stated.range is not None
    assert stated.range[0] < 1e-3 < stated.range[1]
    comparisons = TemplateComparisons(100, 2)
    rule = policy.for_identification(comparisons)
    assert policy.fpir(rule.threshold, comparisons).value == pytest.approx(0.01)
