"""Measures of a demographic differential, over the rates of groups. Pure.

The measures are those of ISO/IEC 19795-10:2024 and of NIST's FRVT part 8 (Grother, NIST IR 8429, 2022): the worst
group's rate over the geometric mean of all groups, the worst over the best, and the Gini coefficient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import Estimate
from app.evaluation.groups.group_rates import Tally
from app.evaluation.values import Doubles

_TAILS = (2.5, 97.5)

Measure = Callable[[Doubles], Doubles]
"""Rates (r, groups) -> one value for each row (r,)."""


@dataclass(frozen=True, slots=True)
class Differential:
    """The groups with the highest and the lowest rate, by index, and the measures by name."""

    worst: int
    best: int
    measures: dict[str, Estimate]


def worst_over_geometric_mean(rates: Doubles) -> Doubles:
    """Return the highest rate divided by the geometric mean; infinite if a rate is zero, NaN if all are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Doubles = rates.max(axis=1) / np.exp(np.log(rates).mean(axis=1))
    return ratios


def worst_over_best(rates: Doubles) -> Doubles:
    """Return the highest rate divided by the lowest; infinite if that is zero, NaN if all are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Doubles = rates.max(axis=1) / rates.min(axis=1)
    return ratios


def gini(rates: Doubles) -> Doubles:
    """Return the Gini coefficient: 0 for equal rates, 1 if one group has all errors; NaN without errors.

    It is corrected for the number n of groups by the factor n / (n - 1) (Howard et al., "Evaluating proposed fairness
    models for face recognition algorithms", 2022).
    """
    groups = rates.shape[1]
    gaps = np.abs(rates[:, :, None] - rates[:, None, :]).sum(axis=(1, 2))
    mean = rates.mean(axis=1)
    coefficients: Doubles = gaps / (2 * groups * (groups - 1) * np.where(mean > 0, mean, np.nan))
    return coefficients


MEASURES: dict[str, Measure] = {
    "worst_over_geometric_mean": worst_over_geometric_mean,
    "worst_over_best": worst_over_best,
    "gini": gini,
}


def compare_groups(tallies: Sequence[Tally]) -> Differential | None:
    """Return the measures over the rates of groups; None with fewer than two groups or without errors.

    A replicate in which a group has no error has an infinite ratio. An interval may therefore end at infinity.
    """
    if len(tallies) < 2:
        return None
    rates = np.stack([tally.rates for tally in tallies], axis=1)
    if not rates[0].any():
        return None
    measures = {}
    for name, measure in MEASURES.items():
        values = measure(rates)
        measures[name] = Estimate(float(values[0]), _interval(values[1:]))
    return Differential(int(rates[0].argmax()), int(rates[0].argmin()), measures)


def _interval(samples: Doubles) -> tuple[float, float] | None:
    """Return the 2.5 % and 97.5 % points, which may be infinite."""
    known = samples[~np.isnan(samples)]
    if len(known) < 2:
        return None
    low, high = np.percentile(known, _TAILS, method="inverted_cdf")
    return float(low), float(high)
