"""Measures of a differential that chance alone would give: a permutation test. Pure.

The rates of small groups differ even if the groups make no difference, so the worst over the mean is always above 1. To
show how much of it is chance, people are dealt to the groups at random; each group keeps its number of people. The
measure over a random deal differs from 1 by chance alone.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.groups.differential import MEASURES
from app.evaluation.values import Doubles, Ints

_SEED = 19795
_MOST_PAIRS = 20_000_000  # error pairs times deals at once


@dataclass(frozen=True, slots=True)
class Chance:
    """A measure under random groups: its median, its 95 % point, and the share of deals at least as high (p-value)."""

    median: float
    upper: float
    p_value: float


def deal_groups(groups: Ints, deals: int) -> Ints:
    """Return the groups of the people (people,) in random order (deals, people); deterministic."""
    return np.random.default_rng(_SEED).permuted(np.tile(groups, (deals, 1)), axis=1)


def dealt_fmrs(dealt: Ints, photos: Doubles, first: Ints, second: Ints, size: int) -> Doubles:
    """Return the FMR inside each group for each deal (deals, size).

    Args:
        dealt: Group of each person in each deal (deals, people).
        photos: Number of photos of each person (people,).
        first: A person of each false match (n,).
        second: The other person of each false match (n,).
        size: Number of groups.
    """
    rates = np.empty((len(dealt), size))
    rows = max(_MOST_PAIRS // max(len(first), 1), 1)
    for start in range(0, len(dealt), rows):
        deal = dealt[start : start + rows]
        inside = np.where(deal[:, first] == deal[:, second], deal[:, first], -1)
        for group in range(size):
            is_member = deal == group
            pairs = (np.square(is_member @ photos) - is_member @ np.square(photos)) / 2
            rates[start : start + rows, group] = _divide((inside == group).sum(axis=1), pairs)
    return rates


def dealt_fnmrs(dealt: Ints, errors: Doubles, pairs: Doubles, size: int) -> Doubles:
    """Return the FNMR of each group for each deal (deals, size), from the errors and genuine pairs of the people."""
    return np.stack([_divide((dealt == group) @ errors, (dealt == group) @ pairs) for group in range(size)], axis=1)


def chance_of(measure: str, observed: float, rates: Doubles) -> Chance | None:
    """Return how an observed measure compares with the rates (deals, groups) of random groups; None without deals."""
    values = MEASURES[measure](rates)
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    median, upper = np.percentile(values, (50, 95), method="inverted_cdf")
    p_value = (1 + np.count_nonzero(values >= observed * (1 - 1e-12))) / (1 + len(values))
    return Chance(float(median), float(upper), float(p_value))


def _divide(errors: Doubles | Ints, pairs: Doubles) -> Doubles:
    rates: Doubles = errors / np.where(pairs > 0, pairs, np.nan)
    return rates
