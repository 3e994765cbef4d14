"""Face quality: a score 0..1 with reasons, hints and components. Pure.

The score predicts how well the face can be recognized, not how the photo looks. It was fitted to rank photos of LFW by
their similarity to other photos of the same person. Half of those photos were blurred, darkened, overexposed, shrunk or
partly covered. Coverings, motion blur and strong compression then lower it below
the usual gates, because they raise the error rates (docs/quality.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from app.vision.quality.components import HINTS, Component, worst_of
from app.vision.quality.measures import Measures


class Reason(StrEnum):
    """Reason for a low quality."""

    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    TURNED_AWAY = "turned_away"
    OCCLUDED_OR_UNCERTAIN = "occluded_or_uncertain"
    EYES_COVERED = "eyes_covered"
    MOUTH_COVERED = "mouth_covered"
    MOTION_BLURRED = "motion_blurred"
    COMPRESSED = "compressed"


@dataclass(frozen=True, slots=True)
class Quality:
    """A `score` from 0 (useless) to 1, `reasons` for a low one, which may be empty at any score, and `components`."""

    score: float
    reasons: tuple[Reason, ...] = ()
    components: dict[Component, float] = field(default_factory=dict, compare=False)

    @property
    def worst(self) -> Component | None:
        """The component with the lowest value; None if none was measured."""
        return worst_of(self.components)

    @property
    def hints(self) -> list[str]:
        """One sentence for each reason, on which a person can act."""
        return [_UNCERTAIN_HINT if each not in _COMPONENTS else HINTS[_COMPONENTS[each]] for each in self.reasons]


_COMPONENTS: Final[Mapping[Reason, Component]] = {
    Reason.TOO_SMALL: Component.INTER_EYE_DISTANCE,
    Reason.BLURRED: Component.SHARPNESS,
    Reason.DARK: Component.UNDER_EXPOSURE_PREVENTION,
    Reason.OVEREXPOSED: Component.OVER_EXPOSURE_PREVENTION,
    Reason.TURNED_AWAY: Component.HEAD_POSE_YAW,
    Reason.EYES_COVERED: Component.EYES_VISIBLE,
    Reason.MOUTH_COVERED: Component.MOUTH_OCCLUSION_PREVENTION,
    Reason.MOTION_BLURRED: Component.MOTION_BLUR_PREVENTION,
    Reason.COMPRESSED: Component.COMPRESSION_ARTIFACTS,
}
_UNCERTAIN_HINT = "the face is hard to recognize: use a clear photo of the whole face from the front"

# Limits beyond which a reason is given. Each applies to at most about one in a hundred unchanged photos of LFW.
_TOO_SMALL, _BLURRED, _DARK, _OVEREXPOSED, _TURNED, _UNCERTAIN = 32, 0.42, 40, 0.3, 0.45, 0.78
# The same for components, which give a reason below 50.
_LIMIT = 50
_REASONS = Reason.EYES_COVERED, Reason.MOUTH_COVERED, Reason.MOTION_BLURRED, Reason.COMPRESSED

# Values at which each part of the score is 0 and 1.
_NORM = 0.4, 1.2  # multiples of the network's typical norm
_SHARPNESS = 0.25, 0.55
_SIZE = 8, 45  # pixels, on a logarithmic scale
_BRIGHTNESS = 0, 40
_CLIPPED = 1, 0.2
_TURN = 1.2, 0.3
_VISIBLE_WEIGHT = 1 / 3  # the feature norm predicts most; the measurements correct it
_TYPICAL = 0.75  # used if the network's typical norm was never measured

# Share of the score that remains at a component of 30 or less; at 60 or more all of it does.
_REMAINS: Final[Mapping[Component, float]] = {
    Component.EYES_VISIBLE: 0.25,
    Component.MOUTH_OCCLUSION_PREVENTION: 0.25,
    Component.MOTION_BLUR_PREVENTION: 0.25,
    Component.COMPRESSION_ARTIFACTS: 0.3,
}
_LOWERED = 30, 60
_COMPRESSION_COUNTS = 90  # pixels: alignment averages out the compression of a larger face


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
    score = by_norm * float(np.prod(visible)) ** _VISIBLE_WEIGHT * _remaining(measures)
    return Quality(score, _reasons(measures, relative), dict(measures.components))


def _remaining(measures: Measures) -> float:
    """Return the share of the score that the worst of the components in `_REMAINS` leaves."""
    shares = [least + (1 - least) * _between(_value(measures, each), _LOWERED) for each, least in _REMAINS.items()]
    return min(shares)


def _value(measures: Measures, component: Component) -> float:
    """Return a component as far as it harms recognition; 100 if it was not measured."""
    if component is Component.COMPRESSION_ARTIFACTS and measures.size >= _COMPRESSION_COUNTS:
        return 100
    return measures.components.get(component, 100)


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
    reasons += [each for each in _REASONS if _value(measures, _COMPONENTS[each]) < _LIMIT]
    if not reasons and relative_norm is not None and relative_norm < _UNCERTAIN:
        return (Reason.OCCLUDED_OR_UNCERTAIN,)  # the network is unsure and no measurement explains it
    return tuple(reasons)


def _between(value: float, ends: Sequence[float]) -> float:
    """Return 0 at the first end and 1 at the second, linear in between."""
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))
