"""Face quality: a score 0..1 with reasons. Pure.

The score predicts how well the face can be recognised, not how the photo looks. It was fitted to rank photos of LFW by
their similarity to other photos of the same person. Half of those photos were blurred, darkened, overexposed, shrunk or
partly covered (docs/thresholds.md has the figures).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from app.types import Floats, Pixels


class Reason(StrEnum):
    """Reason for a low quality."""

    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    TURNED_AWAY = "turned_away"
    OCCLUDED_OR_UNCERTAIN = "occluded_or_uncertain"


@dataclass(frozen=True, slots=True)
class Measures:
    """Measurements of a face that do not depend on the network.

    `size`: side in pixels of the photo's square that became the crop. `sharpness`: contrast at 2-4 pixels of the crop
    divided by that at 4-8 (about 0.64; 0.4 is blurred). `brightness`: mean luma, 0..255. `clipped`: share of pixels
    with a luma above 250. `turn`: offset of the nose tip from the middle of the eyes, in eye distances. To the right it
    is positive; 0.45 is about 45 degrees of yaw.
    """

    size: float
    sharpness: float
    brightness: float
    clipped: float
    turn: float


@dataclass(frozen=True, slots=True)
class Quality:
    """A `score` from 0 (useless) to 1, and `reasons` for a low one, which may be empty at any score."""

    score: float
    reasons: tuple[Reason, ...] = ()


# Root mean square distance of an aligned face's five landmarks from their centre, as a share of the crop's side.
_LANDMARK_SPREAD = 0.2076
_INNER = slice(24, 104), slice(20, 92)  # of the 112x112 crop: brow to chin, cheek to cheek
_WHITE = 250

# Limits beyond which a reason is given. Each applies to at most about one in a hundred unchanged photos of LFW.
_TOO_SMALL, _BLURRED, _DARK, _OVEREXPOSED, _TURNED, _UNCERTAIN = 32, 0.42, 40, 0.3, 0.45, 0.78

# Values at which each part of the score is 0 and 1.
_NORM = 0.4, 1.2  # multiples of the network's typical norm
_SHARPNESS = 0.25, 0.55
_SIZE = 8, 45  # pixels, on a logarithmic scale
_BRIGHTNESS = 0, 40
_CLIPPED = 1, 0.2
_TURN = 1.2, 0.3
_VISIBLE_WEIGHT = 1 / 3  # the feature norm predicts most; the measurements correct it
_TYPICAL = 0.75  # used if the network's typical norm was never measured


def measure(crop: Pixels, landmarks: Floats) -> Measures:
    """Measure a face.

    Args:
        crop: Aligned crop (112, 112, 3), RGB.
        landmarks: Landmarks (5, 2) in pixels of the photo.
    """
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, middle, coarse = (cv2.GaussianBlur(luma, (0, 0), sigma)[_INNER] for sigma in (1, 2, 4))
    spread = float(np.sqrt(((landmarks - landmarks.mean(axis=0)) ** 2).sum(axis=1).mean()))
    inner = luma[_INNER]
    return Measures(
        size=spread / _LANDMARK_SPREAD,
        sharpness=float((fine - middle).std() / max(float((middle - coarse).std()), 1e-3)),
        brightness=float(inner.mean()),
        clipped=float((inner > _WHITE).mean()),
        turn=_turn(landmarks),
    )


def judge(measures: Measures, norm: float, typical_norm: float | None) -> Quality:
    """Return the quality of a face by its measurements and by its feature norm.

    Args:
        measures: Measurements of the face.
        norm: Raw feature norm of the face.
        typical_norm: Median norm of the network. If it is None, only the measurements count.
    """
    relative = norm / typical_norm if typical_norm else None
    visible = [
        _between(measures.sharpness, _SHARPNESS),
        _between(float(np.log(max(measures.size, 1))), (float(np.log(_SIZE[0])), float(np.log(_SIZE[1])))),
        _between(measures.brightness, _BRIGHTNESS),
        _between(measures.clipped, _CLIPPED),
        _between(abs(measures.turn), _TURN),
    ]
    by_norm = _TYPICAL if relative is None else _between(relative, _NORM)
    score = by_norm * float(np.prod(visible)) ** _VISIBLE_WEIGHT
    return Quality(score, _reasons(measures, relative))


def _reasons(measures: Measures, relative_norm: float | None) -> tuple[Reason, ...]:
    reasons = [
        reason
        for reason, is_given in {
            Reason.TOO_SMALL: measures.size < _TOO_SMALL,
            Reason.BLURRED: measures.sharpness < _BLURRED,
            Reason.DARK: measures.brightness < _DARK,
            Reason.OVEREXPOSED: measures.clipped > _OVEREXPOSED,
            Reason.TURNED_AWAY: abs(measures.turn) > _TURNED,
        }.items()
        if is_given
    ]
    if not reasons and relative_norm is not None and relative_norm < _UNCERTAIN:
        return (Reason.OCCLUDED_OR_UNCERTAIN,)  # the network is unsure and no measurement explains it
    return tuple(reasons)


def _turn(landmarks: Floats) -> float:
    left_eye, right_eye, nose = landmarks[:3].astype(np.float64)
    axis = right_eye - left_eye
    squared = float(axis @ axis)
    return float((nose - (left_eye + right_eye) / 2) @ axis / squared) if squared else 0.0


def _between(value: float, ends: Sequence[float]) -> float:
    """Return 0 at the first end and 1 at the second, linear in between."""
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))
