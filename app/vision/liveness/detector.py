"""Fusion of networks into one score of liveness, for faces that are large and whole enough to be judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.types import Box, Detection, Floats, Pixels
from app.vision.liveness.evidence import AttackSign, LivenessEvidence
from app.vision.liveness.networks import LivenessNetwork

SMALLEST_SIDE = 60
"""Pixels of the shorter side of a face; the source of `minifas-128` ignores smaller ones."""

_MOST_OUTSIDE = 0.1  # share of the box beyond the edges of the photo
_EVEN = 0.5  # score at which the networks prefer neither
_FACES_AT_ONCE = 16  # bounds the memory of a crowd
_UNUSABLE_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class WeightedNetwork:
    """A network, and the factor of its log-odds in the sum."""

    network: LivenessNetwork
    weight: float


class FusedDetector:
    """A presentation attack detector: the score is the logistic function of weighted log-odds of networks.

    A fusion of calibrated log-odds by a weighted sum is a logistic regression (Ross and Jain, "Information fusion in
    biometrics", Pattern Recognition Letters 2003). Safe under concurrent calls.
    """

    def __init__(self, networks: Sequence[WeightedNetwork], bias: float = 0) -> None:
        self._networks = tuple(networks)
        self._bias = bias

    def evidence(self, pixels: Pixels, detections: Sequence[Detection]) -> list[LivenessEvidence]:
        """See `PresentationAttackDetector.evidence`."""
        signs = [obstacles(each.box, pixels.shape) for each in detections]
        usable = [each.box for each, of_face in zip(detections, signs, strict=True) if not of_face]
        scores = iter(
            [
                score
                for start in range(0, len(usable), _FACES_AT_ONCE)
                for score in self._scores(pixels, usable[start : start + _FACES_AT_ONCE])
            ]
        )
        return [
            LivenessEvidence(_UNUSABLE_SCORE, of_face, is_usable=False) if of_face else _judged(next(scores))
            for of_face in signs
        ]

    def _scores(self, pixels: Pixels, boxes: Sequence[Box]) -> Floats:
        sums = sum(each.weight * each.network.log_odds(pixels, boxes) for each in self._networks)
        return (1 / (1 + np.exp(-(sums + self._bias)))).astype(np.float32)


def obstacles(box: Box, shape: tuple[int, ...]) -> tuple[AttackSign, ...]:
    """Return why a face of a photo of `shape` (height, width, ...) cannot be judged; empty if it can."""
    left, top, right, bottom = box
    height, width = shape[:2]
    if min(right - left, bottom - top) < SMALLEST_SIDE:
        return (AttackSign.FACE_TOO_SMALL,)
    inside = max(0, min(right, width) - max(left, 0)) * max(0, min(bottom, height) - max(top, 0))
    if inside < (1 - _MOST_OUTSIDE) * (right - left) * (bottom - top):
        return (AttackSign.FACE_CUT_OFF,)
    return ()


def _judged(score: float) -> LivenessEvidence:
    return LivenessEvidence(float(score), (AttackSign.NETWORK,) if score < _EVEN else ())
