"""Comparison of two networks on the same photos: verification rates by person, and the interval of their difference."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.errors import EvaluationInvalid
from app.evaluation.bootstrap import Estimate, draw_multiplicities, interval
from app.evaluation.values import Doubles, Ints
from app.types import Floats

FMR = 1e-3
REPLICATES = 1000
_CANDIDATES = 0.02  # share of the impostor pairs, the most similar ones, that can decide a threshold

PersonWeights = Doubles
"""How often each person (p,) counts: ones, or the multiplicities of a bootstrap replicate."""


@dataclass(frozen=True, slots=True)
class PairedRates:
    """True match rates at one FMR of two networks, and the second minus the first, with 95 % intervals by person."""

    first: Estimate
    second: Estimate
    difference: Estimate


def compare_tmr(
    first: Floats, second: Floats, people: Ints, *, fmr: float = FMR, replicates: int = REPLICATES
) -> PairedRates:
    """Compare two networks by their unit vectors (n, d) of the same photos, with the number of each person (n,).

    Each person with several photos counts once. Memory grows with the square of n. Raises EvaluationInvalid without a
    person with two photos, or without a second person.
    """
    rates = [true_match_rate(vectors, people, fmr) for vectors in (first, second)]
    count = int(people.max()) + 1
    drawn = draw_multiplicities(count, replicates)
    before, after = (np.array([rate(weights) for weights in drawn]) for rate in rates)
    values = [rate(np.ones(count)) for rate in rates]
    return PairedRates(
        Estimate(values[0], interval(before)),
        Estimate(values[1], interval(after)),
        Estimate(values[1] - values[0], interval(after - before)),
    )


def true_match_rate(vectors: Floats, people: Ints, fmr: float) -> Callable[[PersonWeights], float]:
    """Return the true match rate at an FMR as a function of the people's weights; see `compare_tmr`."""
    first, second = np.triu_indices(len(people), 1)
    cosines = (vectors @ vectors.T)[first, second]
    first, second = people[first], people[second]
    is_mated = first == second
    owners, genuine = first[is_mated], cosines[is_mated]
    impostors, first, second = cosines[~is_mated], first[~is_mated], second[~is_mated]
    if not len(genuine) or not len(impostors):
        raise EvaluationInvalid("a comparison needs two people, and one of them with two photos")
    per_person = np.bincount(owners, minlength=people.max() + 1)
    count = min(len(impostors), max(int(_CANDIDATES * len(impostors)), 1))
    top = np.argpartition(-impostors, count - 1)[:count]
    top = top[np.argsort(-impostors[top])]
    impostors, first, second = impostors[top], first[top], second[top]
    sizes = np.bincount(people).astype(np.float64)

    def rate(weights: PersonWeights) -> float:
        drawn = weights * sizes
        total = (drawn.sum() ** 2 - (drawn**2).sum()) / 2
        above = np.cumsum(weights[first] * weights[second])
        threshold = impostors[min(np.searchsorted(above, fmr * total), len(impostors) - 1)]
        shares = weights[owners] / per_person[owners]
        return float((shares * (genuine > threshold)).sum() / max(shares.sum(), np.finfo(np.float64).tiny))

    return rate
