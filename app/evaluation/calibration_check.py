"""Check of the shipped calibration: the error rates that it promises, next to those that were observed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.evaluation.bootstrap import Estimate
from app.evaluation.curves import MIN_ABOVE, RocCurve, is_supported, label
from app.recognition.decisions.calibration.error_rates import Calibration, rate_for_chance

_FMRS = (1e-2, 1e-3, 1e-4)
_FPIR = 0.01


@dataclass(frozen=True, slots=True)
class PromisedRate:
    """A rate of false acceptance (FMR or FPIR) that the calibration promises at a threshold."""

    asked: float
    threshold: float


def promised_fmrs(calibration: Calibration | None) -> tuple[PromisedRate, ...]:
    """Return the thresholds of the calibration for three FMRs, as in `/verify`; empty without a calibration."""
    return tuple(PromisedRate(rate, calibration.threshold(rate)) for rate in _FMRS) if calibration else ()


def promised_fpirs(calibration: Calibration | None, people: int) -> tuple[PromisedRate, ...]:
    """Return the threshold of the calibration for the default FPIR among so many people, as in `/identify`."""
    if calibration is None or people < 1:
        return ()
    return (PromisedRate(_FPIR, calibration.threshold(rate_for_chance(_FPIR, people))),)


def observed_rates(curve: RocCurve, promises: Sequence[PromisedRate]) -> dict[str, float]:
    """Return the accepted shares of impostors and the rejected shares of mates at each threshold, by name."""
    rates = {}
    for promise in promises:
        index = int(np.searchsorted(curve.thresholds, promise.threshold))
        is_above_all = index == len(curve.thresholds)
        name = label(promise.asked)  # nobody is accepted above all scores; without comparisons, rates stay NaN
        rates[f"observed@{name}"] = 0 * curve.far[0] if is_above_all else curve.far[index]
        rates[f"missed@{name}"] = 1 - (0 * curve.tar[0] if is_above_all else curve.tar[index])
    return {name: float(rate) for name, rate in rates.items()}


def check_content(
    promises: Sequence[PromisedRate], estimates: Mapping[str, Estimate], comparisons: int, note: str
) -> dict[str, Any] | None:
    """Return the check for report.json, by promised rate; None without a calibration.

    A rate is null, with the `note`, if fewer than ten false acceptances were both observed and promised.
    """
    if not promises:
        return None
    return {label(promise.asked): _checked(promise, estimates, comparisons, note) for promise in promises}


def _checked(promise: PromisedRate, estimates: Mapping[str, Estimate], comparisons: int, note: str) -> dict[str, Any]:
    name, asked = label(promise.asked), promise.asked
    observed, missed = estimates[f"observed@{name}"], estimates[f"missed@{name}"]
    errors = round(observed.value * comparisons) if comparisons else 0
    content: dict[str, Any] = {"threshold": promise.threshold, "errors": errors, "comparisons": comparisons}
    content |= {"missed": missed.value, "missed_interval": missed.interval}
    if errors < MIN_ABOVE and not is_supported(asked, comparisons):
        return {"observed": None, "interval": None, "over_asked": None, **content, "note": note}
    return {
        "observed": observed.value,
        "interval": observed.interval,
        "over_asked": observed.value / asked,
        "over_asked_interval": tuple(end / asked for end in observed.interval) if observed.interval else None,
        **content,
    }
