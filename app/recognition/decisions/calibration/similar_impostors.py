"""Error rates for impostors of the same sex and origin. Pure."""

from dataclasses import dataclass
from typing import Final

from app.recognition.decisions.calibration.error_rates import CalibrationOrigin, RateCurve

# On the London set, impostors of the same sex and ethnicity are accepted 2.0 to 2.4 times as often as all impostors at
# 1e-2 and 1e-3 (docs/groups.md), 3.1 times at 1e-4; two women of LFW 1.8 to 3.9 times.
SIMILAR_RATE: Final = 4.0
"""Rate of impostors of the same sex and origin, as a multiple of the rate of all impostors."""


@dataclass(frozen=True, slots=True)
class SimilarImpostorCurve:
    """A curve of rates that are `SIMILAR_RATE` times those of `every`, the curve for all impostors; a `RateCurve`."""

    every: RateCurve

    @property
    def origin(self) -> CalibrationOrigin:
        """See `RateCurve`."""
        return self.every.origin

    @property
    def typical_norm(self) -> float | None:
        """See `RateCurve`."""
        return self.every.typical_norm

    @property
    def template_stretch(self) -> float:
        """See `RateCurve`."""
        return self.every.template_stretch

    @property
    def is_adapted(self) -> bool:
        """See `RateCurve`."""
        return self.every.is_adapted

    @property
    def people(self) -> int:
        """See `RateCurve`."""
        return self.every.people

    @property
    def centre(self) -> float:
        """See `RateCurve`."""
        return self.every.centre

    def fmr(self, similarity: float) -> float:
        """See `RateCurve`; the rate of similar impostors."""
        return min(self.every.fmr(similarity) * SIMILAR_RATE, 1.0)

    def threshold(self, fmr: float) -> float:
        """See `RateCurve`; the threshold that the share `fmr` of similar impostors reaches."""
        return self.every.threshold(fmr / SIMILAR_RATE)

    def doubt(self, fmr: float) -> tuple[float, float]:
        """See `RateCurve`; for similar impostors."""
        return self.every.doubt(fmr / SIMILAR_RATE)
