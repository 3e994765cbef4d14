"""Fusion of the evidence of several frames of one face. Pure."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from app.vision.liveness.evidence import LivenessEvidence


def fused(frames: Sequence[LivenessEvidence]) -> LivenessEvidence | None:
    """Return the evidence of all frames: the median score, and the signs of at least half of the usable frames.

    A single blurred or reflecting frame changes neither. None without frames. If no frame is usable, neither is the
    result.
    """
    usable = [each for each in frames if each.is_usable]
    counted = usable or frames
    if not counted:
        return None
    signs = Counter(sign for each in counted for sign in each.signs)
    frequent = tuple(sign for sign, count in signs.most_common() if 2 * count >= len(counted))
    return LivenessEvidence(median(each.score for each in counted), frequent, is_usable=bool(usable))
