import pytest

from app.recognition.liveness.decisions import LivenessDecision, LivenessVerdict, decide_liveness, worst_liveness
from app.recognition.liveness.thresholds import UNCALIBRATED, LivenessThresholds
from app.vision.liveness import AttackSign, LivenessEvidence

THRESHOLDS = LivenessThresholds(0.6, 0.3, "door/2")
LIVE, UNCERTAIN, ATTACK = LivenessVerdict.LIVE, LivenessVerdict.UNCERTAIN, LivenessVerdict.ATTACK


@pytest.mark.parametrize(
    ("score", "verdict"), [(1, LIVE), (0.6, LIVE), (0.59, UNCERTAIN), (0.3, UNCERTAIN), (0.29, ATTACK), (0, ATTACK)]
)
def test_thresholds_decide(score, verdict):
    decision = decide_liveness(LivenessEvidence(score, (AttackSign.NETWORK,)), THRESHOLDS)
    assert decision == LivenessDecision(verdict, score, (AttackSign.NETWORK,), "door/2")


def test_a_face_that_cannot_be_judged_is_uncertain_and_has_no_score():
    evidence = LivenessEvidence(0, (AttackSign.FACE_TOO_SMALL,), is_usable=False)
    decision = decide_liveness(evidence, UNCALIBRATED)
    assert decision == LivenessDecision(UNCERTAIN, None, (AttackSign.FACE_TOO_SMALL,), "uncalibrated")


def test_the_rounded_score_does_not_decide():
    decision = decide_liveness(LivenessEvidence(0.59999), THRESHOLDS)
    assert (decision.verdict, decision.score) == (UNCERTAIN, 0.6)


def test_the_worst_face_decides():
    live, weak = LivenessDecision(LIVE, 0.9), LivenessDecision(LIVE, 0.7)
    unusable, unsure = LivenessDecision(UNCERTAIN, None), LivenessDecision(UNCERTAIN, 0.4)
    attack = LivenessDecision(ATTACK, 0.2)
    assert worst_liveness([]) is None
    assert worst_liveness([live, weak]) is weak
    assert worst_liveness([live, unsure, unusable]) is unusable
    assert worst_liveness([unusable, attack, live]) is attack
