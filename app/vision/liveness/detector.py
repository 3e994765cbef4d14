"""Fusion of networks into one score of liveness, for faces that are large and whole enough to be judged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.types import Box, Detection, Pixels
from app.vision.liveness.evidence import AttackSign, LivenessEvidence
from app.vision.liveness.networks import LivenessNetwork
from app.vision.liveness.pattern import pattern_excess
from app.vision.liveness.upright import turned, turned_box, turns_to_upright

SMALLEST_SIDE = 60
"""Pixels of the shorter side of a face; the source of `minifas-128` ignores smaller ones."""

_MOST_OUTSIDE = 0.1  # share of the box beyond the edges of the photo
_FACES_AT_ONCE = 16  # bounds the memory of a crowd
_UNUSABLE_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class WeightedNetwork:
    """A network, and the factor of its log-odds in the sum."""

    network: LivenessNetwork
    weight: float


class FusedDetector:
    """A presentation attack detector: the score is the logistic function of weighted log-odds of networks.

    A fusion of log-odds by a weighted sum is a logistic regression (Ross and Jain, "Information fusion in biometrics",
    Pattern Recognition Letters 2003). A regular pattern on the face lowers the sum; its absence raises nothing. Safe
    under concurrent calls.
    """

    def __init__(self, networks: Sequence[WeightedNetwork], *, bias: float = 0, pattern_weight: float = 0) -> None:
        """Create the detector.

        Args:
            networks: The networks, at least one.
            bias: Log-odds that are added.
            pattern_weight: Log-odds that are subtracted for each unit of `pattern_excess`.
        """
        self._networks = tuple(networks)
        self._bias = bias
        self._pattern_weight = pattern_weight

    def evidence(self, pixels: Pixels, detections: Sequence[Detection]) -> list[LivenessEvidence]:
        """See `PresentationAttackDetector.evidence`."""
        found = {
            place: LivenessEvidence(_UNUSABLE_SCORE, of_face, is_usable=False)
            for place, each in enumerate(detections)
            if (of_face := obstacles(each.box, pixels.shape))
        }
        turns = {place: turns_to_upright(each.landmarks) for place, each in enumerate(detections) if place not in found}
        for turn in sorted(set(turns.values())):
            places = [place for place, of_face in turns.items() if of_face == turn]
            boxes = [turned_box(detections[place].box, pixels.shape, turn) for place in places]
            found |= zip(places, self._judged(turned(pixels, turn), boxes), strict=True)
        return [found[place] for place in range(len(detections))]

    def _judged(self, pixels: Pixels, boxes: Sequence[Box]) -> Iterator[LivenessEvidence]:
        for start in range(0, len(boxes), _FACES_AT_ONCE):
            part = boxes[start : start + _FACES_AT_ONCE]
            sums = sum(each.weight * each.network.log_odds(pixels, part) for each in self._networks) + self._bias
            for log_odds, box in zip(np.broadcast_to(sums, len(part)), part, strict=True):
                yield _fused(float(log_odds), self._pattern_weight * pattern_excess(pixels, box))


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


def _fused(log_odds: float, pattern: float) -> LivenessEvidence:
    """Return the evidence of the log-odds of the networks, less those of a pattern."""
    against = {AttackSign.NETWORK: -log_odds, AttackSign.REGULAR_PATTERN: pattern}
    signs = sorted((sign for sign, cost in against.items() if cost > 0), key=against.__getitem__, reverse=True)
    return LivenessEvidence(float(np.exp(-np.logaddexp(0, pattern - log_odds))), tuple(signs))
