import pytest

from app.recognition.liveness.thresholds import UNCALIBRATED, LivenessThresholds, uncalibrated


@pytest.mark.parametrize(("live_from", "attack_below"), [(0.4, 0.5), (1.1, 0.5), (0.5, -0.1)])
def test_thresholds_are_scores_in_order(live_from, attack_below):
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        LivenessThresholds(live_from, attack_below)


def test_only_a_calibration_gives_known_error_rates():
    assert uncalibrated(None) is UNCALIBRATED
    assert not UNCALIBRATED.is_calibrated
    assert LivenessThresholds(0.6, 0.3, "door/2").is_calibrated
