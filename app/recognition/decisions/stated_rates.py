"""Error rates as answers state them: a number, and the range in which the true rate lies. Pure."""

from dataclasses import dataclass
from typing import Final

from app.recognition.decisions.calibration.error_rates import RateCurve, chance_among
from app.recognition.decisions.calibration.templates import TemplateComparisons, TemplateScale
from app.types import RateRange

LEAST_STATED: Final = 1e-7
"""No smaller rate is stated. Calibrations count some ten million pairs; below, they continue a fitted curve."""

_LEAST_RATE = 1e-300  # may be divided by


@dataclass(frozen=True, slots=True)
class StatedRate:
    """An error rate (1e-7..1), and the range in which the true rate lies (95 %). None of both without a calibration.

    A range from 0 means that only an upper bound is known. So the rate 1e-7 with the range (0, 1e-7) stands for "below
    one in ten million".
    """

    value: float | None = None
    range: RateRange | None = None


UNKNOWN: Final = StatedRate()
"""The rate of a network without a calibration."""


def stated_rate(curve: RateCurve, similarity: float, comparisons: TemplateComparisons) -> StatedRate:
    """Return the chance that a stranger reaches a similarity in these comparisons."""
    rate = curve.fmr(TemplateScale.of(curve, comparisons).to_single(similarity))
    value, low, high = (chance_among(each, comparisons.count) for each in (rate, *_range_of(curve, rate)))
    return StatedRate(max(value, LEAST_STATED), (low if low >= LEAST_STATED else 0.0, max(high, LEAST_STATED)))


def _range_of(curve: RateCurve, rate: float) -> RateRange:
    """Return the range (low, high) in which the true rate lies: the threshold's doubt, converted to rates."""
    doubt_from, doubt_to = curve.doubt(rate)
    low = rate * rate / max(curve.fmr(doubt_from), _LEAST_RATE)
    high = rate * rate / max(curve.fmr(doubt_to), _LEAST_RATE)
    return min(low, rate), min(max(high, rate), 1.0)
