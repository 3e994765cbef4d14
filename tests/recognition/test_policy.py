import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CalibrationMissing
from app.recognition.calibration import LEVELS, Calibration, Origin, Spread, Tail
from app.recognition.policy import Outcome, Policy

CALIBRATION = Calibration(
    Origin("ab" * 32, "model", "yunet", is_flip_averaged=True, people=9, faces=9, pairs=36, source="test"),
    tuple(-0.2 + 0.02 * number for number in range(len(LEVELS))),
    Tail(0.4, 1e-3, -0.05, 0.025),
    tuple(Spread(rate, 0.8, 1.25) for rate in (1e-1, 1e-3, 1e-6)),
)
CALIBRATED = Policy(CALIBRATION, 0.42)
UNCALIBRATED = Policy(None, 0.42)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_an_explicit_threshold_is_honoured_exactly(threshold, similarity):
    for policy in (CALIBRATED, UNCALIBRATED):
        for rule in (policy.for_verification(threshold=threshold), policy.for_identification(9, threshold=threshold)):
            assert rule.threshold == threshold
            assert rule.outcome(similarity) is (Outcome.MATCH if similarity >= threshold else Outcome.NO_MATCH)


def test_an_error_rate_becomes_a_threshold_with_doubt_around_it():
    rule = CALIBRATED.for_verification(max_fmr=1e-5)
    assert rule.threshold == CALIBRATION.threshold(1e-5)
    assert rule.doubt_from < rule.threshold < rule.doubt_to
    assert rule.outcome(rule.doubt_to) is Outcome.MATCH
    assert rule.outcome(rule.threshold) is Outcome.POSSIBLE
    assert rule.outcome(rule.doubt_from - 1e-9) is Outcome.NO_MATCH


def test_a_larger_gallery_needs_a_higher_threshold():
    thresholds = [CALIBRATED.for_identification(faces).threshold for faces in (0, 1, 100, 10_000, 10_000_000)]
    assert thresholds == sorted(thresholds)
    assert thresholds[1] == pytest.approx(CALIBRATION.threshold(0.01), abs=1e-9)


def test_without_a_calibration_the_fallback_decides_but_no_rate_is_promised():
    assert UNCALIBRATED.for_verification().threshold == 0.42
    assert UNCALIBRATED.for_identification(1000).threshold == 0.42
    assert UNCALIBRATED.fmr(0.5) is None
    assert UNCALIBRATED.fpir(0.5, 10) is None
    with pytest.raises(CalibrationMissing, match="arcid calibrate"):
        UNCALIBRATED.for_verification(max_fmr=1e-4)
    with pytest.raises(CalibrationMissing, match="arcid calibrate"):
        UNCALIBRATED.for_identification(10, max_fpir=0.01)
