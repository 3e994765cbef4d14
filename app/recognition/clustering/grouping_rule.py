"""Rule for grouping: a threshold from the expected number of wrong links. Pure."""

from dataclasses import dataclass
from typing import Final

from app.recognition.decisions.calibration.error_rates import RateCurve

DEFAULT_MAX_FALSE: Final = 1e-4
"""Faces of one camera reach a threshold about ten times as often as those of the shipped calibrations."""
DEFAULT_LEAST_QUALITY: Final = 0.25
"""As for enrolled photos."""
_HIGHEST_FMR: Final = 1e-4  # in a small collection


@dataclass(frozen=True, slots=True)
class GroupingRule:
    """How groups are made.

    Args:
        curve: The collection's calibration; None if its network has none.
        fallback: Threshold without a calibration, for faces and templates.
        max_false: Expected number of wrong links for each face, among all its comparisons; 0..1.
        least_quality: A face below it may join a group, but never connects others.
        joins_groups: Whether two earlier groups may become one. If not, only `together` does this.
    """

    curve: RateCurve | None
    fallback: float = 1.0
    max_false: float = DEFAULT_MAX_FALSE
    least_quality: float = DEFAULT_LEAST_QUALITY
    joins_groups: bool = False

    def threshold(self, faces: int) -> float:
        """Return the least similarity that links two single faces in a collection of this size."""
        if self.curve is None:
            return self.fallback
        return self.curve.threshold(min(self.max_false / max(faces - 1, 1), _HIGHEST_FMR))
