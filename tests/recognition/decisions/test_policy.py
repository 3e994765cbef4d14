from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CalibrationMissing
from app.recognition.decisions.calibration.templates import TemplateComparisons, comparisons_among, stranger_rate
from app.recognition.decisions.policy import DEFAULT_MAX_FMR, Outcome, Policy, Rule
from app.recognition.decisions.stated_rates import LEAST_STATED, UNKNOWN
from app.vision.quality import Quality, Reason
from tests.recognition.fakes import RED, calibration, colour_analysis, photo

CALIBRATION = calibration()
CALIBRATED = Policy(CALIBRATION, 0.42)
UNCALIBRATED = Policy(None, 0.42)


@given(st.floats(-1, 1), st.floats(-1, 1), st.booleans())
def test_an_explicit_threshold_is_honoured_exactly(threshold, similarity, is_doubtful):
    for policy in (CALIBRATED, UNCALIBRATED):
        for rule in (
            policy.for_verification(threshold=threshold),
            policy.for_verification(7, threshold=threshold),
            policy.for_identification(TemplateComparisons(9), threshold=threshold),
        ):
            assert rule.threshold == threshold
            outcome = rule.outcome(similarity, is_doubtful=is_doubtful)
            assert outcome is (Outcome.MATCH if similarity >= threshold else Outcome.NO_MATCH)


def test_an_error_rate_becomes_a_threshold_with_doubt_around_it():
    rule = CALIBRATED.for_verification(max_fmr=1e-5)
    assert rule.threshold == CALIBRATION.threshold(1e-5)
    assert rule.doubt_from < rule.threshold < rule.doubt_to
    assert rule.outcome(rule.doubt_to) is Outcome.MATCH
    assert rule.outcome(rule.threshold) is Outcome.POSSIBLE
    assert rule.outcome(rule.doubt_from - 1e-9) is Outcome.NO_MATCH


@given(st.floats(-1, 1))
def test_what_is_doubtful_for_another_reason_is_at_best_possible(similarity):
    rule = Rule(0.5, 0.4, 0.6)
    firm, doubtful = rule.outcome(similarity), rule.outcome(similarity, is_doubtful=True)
    assert doubtful is (Outcome.POSSIBLE if firm is Outcome.MATCH else firm)


def test_a_larger_gallery_needs_a_higher_threshold():
    thresholds = [
        CALIBRATED.for_identification(TemplateComparisons(people)).threshold
        for people in (0, 1, 100, 10_000, 10_000_000)
    ]
    assert thresholds == sorted(thresholds)
    assert thresholds[1] == pytest.approx(CALIBRATION.threshold(0.01), abs=1e-9)


def test_the_collections_own_rate_takes_precedence_over_a_default():
    people = TemplateComparisons(1000, 3, 2)
    assert CALIBRATED.for_identification(people, default=1e-3) == CALIBRATED.for_identification(people, max_fpir=1e-3)
    own = replace(CALIBRATED, max_fpir=0.05)
    assert own.for_identification(people, default=1e-3) == CALIBRATED.for_identification(people, max_fpir=0.05)
    assert UNCALIBRATED.for_identification(people, default=1e-3).threshold == 0.42


def test_without_a_calibration_the_fallback_decides_but_no_rate_is_promised():
    for faces in (1, 5):
        assert UNCALIBRATED.for_verification(faces).threshold == 0.42
        assert UNCALIBRATED.fmr(0.5, faces) == UNKNOWN
    assert UNCALIBRATED.for_identification(TemplateComparisons(1000)).threshold == 0.42
    assert UNCALIBRATED.fpir(0.5, TemplateComparisons(10)) == UNKNOWN
    with pytest.raises(CalibrationMissing, match="arcid calibrate"):
        UNCALIBRATED.for_verification(max_fmr=1e-4)
    with pytest.raises(CalibrationMissing, match="arcid calibrate"):
        UNCALIBRATED.for_identification(TemplateComparisons(10), max_fpir=0.01)


# Templates of several faces


@pytest.mark.parametrize("max_fmr", [None, 0.1, 1e-3, 1e-5])
def test_a_template_of_more_faces_needs_a_higher_threshold(max_fmr):
    rules = [CALIBRATED.for_verification(faces, max_fmr=max_fmr) for faces in (1, 2, 4, 9)]
    for one, more in pairwise(rules):
        assert one.threshold < more.threshold
        assert one.doubt_from < more.doubt_from
        assert one.doubt_to < more.doubt_to
    assert rules[0].threshold == CALIBRATION.threshold(max_fmr or DEFAULT_MAX_FMR)


@pytest.mark.parametrize("max_fmr", [None, 1e-3, 1e-5])
def test_faces_of_the_probe_count_as_those_of_the_identity(max_fmr):
    assert CALIBRATED.for_verification(3, 7, max_fmr=max_fmr) == CALIBRATED.for_verification(7, 3, max_fmr=max_fmr)
    several, one = (CALIBRATED.for_verification(3, probes, max_fmr=max_fmr).threshold for probes in (2, 1))
    assert several > one
    assert CALIBRATED.fmr(0.5, 3, 7) == CALIBRATED.fmr(0.5, 7, 3)


@given(st.floats(CALIBRATION.threshold(0.5), 1), st.integers(1, 50), st.integers(1, 10))
def test_strangers_reach_a_template_of_more_faces_more_often(similarity, faces, probes):
    one, rate = CALIBRATED.fmr(similarity).value, CALIBRATED.fmr(similarity, faces, probes).value
    assert one is not None
    assert rate is not None
    assert one == max(CALIBRATION.fmr(similarity), LEAST_STATED)
    assert one * (1 - 1e-9) <= rate <= 1


@given(st.floats(LEAST_STATED, 0.5), st.integers(1, 50), st.integers(1, 10))
def test_at_the_threshold_the_rate_reported_is_the_one_asked_for(max_fmr, faces, probes):
    rule = CALIBRATED.for_verification(faces, probes, max_fmr=max_fmr)
    assert CALIBRATED.fmr(rule.threshold, faces, probes).value == pytest.approx(max_fmr)


@given(st.floats(0.3, 0.75), st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_a_stranger_finds_anybody_as_often_as_any_one_of_them_at_most(similarity, faces):
    counted = stranger_rate(CALIBRATION, similarity, comparisons_among(len(faces), sum(faces)))
    missed = 1.0
    for each in faces:
        missed *= 1 - stranger_rate(CALIBRATION, similarity, TemplateComparisons(1, each))
    assert 1 - missed <= counted * 1.02 + 1e-12


# Stated rates


@given(st.floats(-0.9, 1), st.floats(1, 1e7))
def test_no_rate_is_stated_below_one_in_ten_million(similarity, comparisons):
    for stated in (CALIBRATED.fmr(similarity), CALIBRATED.fpir(similarity, TemplateComparisons(comparisons))):
        assert stated.value is not None
        assert stated.range is not None
        low, high = stated.range
        assert low == 0 or low >= LEAST_STATED
        assert low <= stated.value <= high <= 1
        assert stated.value >= LEAST_STATED


def test_a_rate_too_small_to_be_measured_is_stated_as_a_bound():
    assert CALIBRATED.fmr(1.0).value == LEAST_STATED
    assert CALIBRATED.fmr(1.0).range == (0, LEAST_STATED)


def test_a_rate_that_is_measured_has_the_range_of_its_calibration():
    stated = CALIBRATED.fmr(CALIBRATION.threshold(1e-4))
    assert stated.value == pytest.approx(1e-4)
    assert stated.range == pytest.approx((0.8e-4, 1.25e-4))


def test_thresholds_go_on_below_what_is_stated():
    galleries = [TemplateComparisons(people) for people in (10**5, 10**6, 10**7)]
    thresholds = [CALIBRATED.for_identification(each).threshold for each in galleries]
    assert thresholds == sorted(set(thresholds))
    assert CALIBRATED.fpir(thresholds[-1], galleries[-1]).value == pytest.approx(0.01, rel=1e-3)


@given(st.floats(-0.9, 0.9), st.floats(0, 0.1), st.floats(1, 1e6))
def test_the_more_similar_the_lower_every_bound(similarity, more, comparisons):
    below, above = (CALIBRATED.fpir(each, TemplateComparisons(comparisons)) for each in (similarity, similarity + more))
    assert below.value is not None
    assert above.value is not None
    assert below.range is not None
    assert above.range is not None
    for one, other in zip((below.value, *below.range), (above.value, *above.range), strict=True):
        assert other <= one * (1 + 1e-9)


# Quality


def test_faces_are_judged_on_the_scale_of_the_calibration():
    (face,) = colour_analysis().analyse(photo(RED), is_flip_averaged=False)
    uncertain = Policy(calibration(typical_norm=face.norm * 2), 0).quality(face)
    assert uncertain == Quality(pytest.approx(0.125, abs=0.001), (Reason.OCCLUDED_OR_UNCERTAIN,))  # type: ignore[arg-type] # compares like a float
    assert Policy(calibration(typical_norm=face.norm), 0).quality(face).score == pytest.approx(0.75)
    assert Policy(calibration(typical_norm=face.norm / 2), 0).quality(face).score == pytest.approx(1)
    for policy in (CALIBRATED, UNCALIBRATED):  # of a network whose typical norm was never measured
        assert policy.quality(face) == Quality(pytest.approx(0.75))  # type: ignore[arg-type] # as above


def test_one_poor_face_makes_a_comparison_poor():
    policy = Policy(None, 0.42, 0.3)
    good, enough, poor = Quality(0.9), Quality(0.3), Quality(0.299)
    assert not policy.is_poor(good, enough)
    assert policy.is_poor(poor)
    assert policy.is_poor(good, poor)
    assert policy.is_poor(poor, good)
    assert not Policy(None, 0.42).is_poor(Quality(0))
