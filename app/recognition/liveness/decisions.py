"""Verdicts on liveness."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.recognition.liveness.thresholds import LivenessThresholds
from app.vision.liveness import AttackSign, LivenessEvidence


class LivenessVerdict(StrEnum):
    """Verdict on a presentation: a person (`live`), an artefact (`attack`), or not certain (`uncertain`)."""

    LIVE = "live"
    UNCERTAIN = "uncertain"
    ATTACK = "attack"


NO_CALIBRATION = "uncalibrated"
"""The origin of default thresholds."""
_DIGITS = 3  # of an answered score; more would only help those who improve an attack step by step
_WORST_FIRST = (LivenessVerdict.ATTACK, LivenessVerdict.UNCERTAIN, LivenessVerdict.LIVE)


@dataclass(frozen=True, slots=True)
class LivenessDecision:
    """The verdict on a face, and the `reasons` against a live person.

    `score`, 0..1 and rounded, grows with the evidence of a live person; it is None if the face cannot be judged.
    `calibration` is the origin of the thresholds.
    """

    verdict: LivenessVerdict
    score: float | None
    reasons: tuple[AttackSign, ...] = ()
    calibration: str = NO_CALIBRATION


def decide_liveness(evidence: LivenessEvidence, thresholds: LivenessThresholds) -> LivenessDecision:
    """Decide on the evidence of a face; one that cannot be judged is `uncertain`."""
    origin = thresholds.origin or NO_CALIBRATION
    if not evidence.is_usable:
        return LivenessDecision(LivenessVerdict.UNCERTAIN, None, evidence.signs, origin)
    verdict = LivenessVerdict.UNCERTAIN
    if evidence.score >= thresholds.live_from:
        verdict = LivenessVerdict.LIVE
    elif evidence.score < thresholds.attack_below:
        verdict = LivenessVerdict.ATTACK
    return LivenessDecision(verdict, round(evidence.score, _DIGITS), evidence.signs, origin)


def is_attack(decision: LivenessDecision | None) -> bool:
    """Return whether a decision is an attack; None is not."""
    return decision is not None and decision.verdict is LivenessVerdict.ATTACK


def worst_liveness(decisions: Iterable[LivenessDecision]) -> LivenessDecision | None:
    """Return the decision that speaks most against a live person, or None without any.

    An attack counts more than an uncertain face, and that more than a live one; then the lowest score counts.
    """
    return min(
        decisions,
        key=lambda each: (_WORST_FIRST.index(each.verdict), 0.0 if each.score is None else each.score),
        default=None,
    )
