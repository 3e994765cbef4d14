"""Confidence intervals by resampling people, not comparisons. Pure.

Comparisons that share a person are not independent; resampling them one by one gives intervals that are too narrow
(Bolle, Ratha, Pankanti: "Error analysis of pattern recognition systems - the subsets bootstrap", 2004).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from app.evaluation.values import Advance, Doubles, Ints

REPLICATES = 1000
_SEED = 20040601
_TAILS = (2.5, 97.5)

Interval = tuple[float, float]
Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; None where it could not be had."""

    value: float
    interval: Interval | None


def multiplicities(people: int, replicates: int) -> Doubles:
    """Return how often each person is drawn in each replicate (replicates, people); the same at every call."""
    generator = np.random.default_rng(_SEED)
    return generator.multinomial(people, np.full(people, 1 / people), replicates).astype(np.float64)


def pair_weights(drawn: Doubles, first: Ints, second: Ints) -> Doubles:
    """Return the weight of comparisons between people: the product of their multiplicities, each person once."""
    return np.where(first == second, drawn[first], drawn[first] * drawn[second])


def estimates(
    figures: Callable[[Doubles], Figures], *, people: int, replicates: int, advance: Advance = lambda _: None
) -> dict[str, Estimate]:
    """Evaluate `figures`, which takes each person's multiplicity, as it is and for every replicate."""
    samples: dict[str, list[float]] = {}
    for drawn in multiplicities(people, replicates):
        for name, value in figures(drawn).items():
            samples.setdefault(name, []).append(value)
        advance(1)
    return {
        name: Estimate(value, interval(np.array(samples.get(name, []))))
        for name, value in figures(np.ones(people)).items()
    }


def interval(samples: Doubles) -> Interval | None:
    """Return the 2.5 % and 97.5 % points of the samples, those that are no number left out."""
    known = samples[np.isfinite(samples)]
    if known.size < 2:
        return None
    low, high = np.percentile(known, _TAILS)
    return float(low), float(high)
