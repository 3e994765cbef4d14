"""Thresholds between verdicts on liveness."""

from collections.abc import Callable
from dataclasses import dataclass

from app.gallery.store.values import Collection


@dataclass(frozen=True, slots=True)
class LivenessThresholds:
    """Scores from `live_from` on are `live`, those below `attack_below` are an `attack`, others are `uncertain`.

    Both are scores of `LivenessEvidence`, 0..1. `origin` names the calibration ("NAME/VERSION"); it is None for
    the defaults, which have no known error rate.
    """

    live_from: float
    attack_below: float
    origin: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless 0 <= attack_below <= live_from <= 1."""
        if not 0 <= self.attack_below <= self.live_from <= 1:
            raise ValueError(
                f"attack_below {self.attack_below} and live_from {self.live_from} must be in 0..1, in this order"
            )

    @property
    def is_calibrated(self) -> bool:
        """Whether they come from a calibration, so that their error rates are known."""
        return self.origin is not None


UNCALIBRATED = LivenessThresholds(live_from=0.5, attack_below=0.2)
"""The thresholds without a calibration."""

LivenessThresholdsOf = Callable[[Collection | None], LivenessThresholds]
"""The thresholds of a collection, or of requests without one."""


def uncalibrated(collection: Collection | None) -> LivenessThresholds:  # noqa: ARG001 - they are the same for all
    """Return the thresholds without a calibration, as `LivenessThresholdsOf`."""
    return UNCALIBRATED
