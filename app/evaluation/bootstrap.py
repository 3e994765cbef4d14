"""Bootstrap confidence intervals that resample people instead of comparisons. Pure.

Comparisons that share a person are not independent; resampling single comparisons gives too narrow intervals
(Bolle, Ratha, Pankanti: "Error analysis of pattern recognition systems - the subsets bootstrap", 2004).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from app.evaluation.values import Advance, Doubles, Ints

REPLICATES = 1000
_SEED = 20040601
_TAILS = (2.5, 97.5)
_MAX_WEIGHTED_COMPARISONS = 2_000_000_000  # comparisons times replicates; this takes about half a minute on two cores
_MIN_REPLICATES = 20

Interval = tuple[float, float]
Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; None if it cannot be computed."""

    value: float
    interval: Interval | None


def supported_replicates(replicates: int, comparisons: int) -> int:
    """Return how many replicates are computed: fewer for more comparisons, and none for very many."""
    supported = min(replicates, _MAX_WEIGHTED_COMPARISONS // max(comparisons, 1))
    return supported if supported >= _MIN_REPLICATES else 0


def draw_multiplicities(people: int, replicates: int) -> Doubles:
    """Return the multiplicity of each person in each replicate (replicates, people); deterministic."""
    generator = np.random.default_rng(_SEED)
    return generator.multinomial(people, np.full(people, 1 / people), replicates).astype(np.float64)


def pair_weights(multiplicities: Doubles, first: Ints, second: Ints) -> Doubles:
    """Return the weights of comparisons: the product of the multiplicities of the people, counting each person once."""
    return np.where(first == second, multiplicities[first], multiplicities[first] * multiplicities[second])


def estimates(
    figures: Callable[[Doubles], Figures], *, people: int, replicates: int, advance: Advance = lambda _: None
) -> dict[str, Estimate]:
    """Evaluate `figures`, a function of the multiplicities of the people, for the set and for every replicate."""
    samples: dict[str, list[float]] = {}
    for multiplicities in draw_multiplicities(people, replicates):
        for name, value in figures(multiplicities).items():
            samples.setdefault(name, []).append(value)
        advance(1)
    return {
        name: Estimate(value, interval(np.array(samples.get(name, []))))
        for name, value in figures(np.ones(people)).items()
    }


def interval(samples: Doubles) -> Interval | None:
    """Return the 2.5 % and 97.5 % percentiles of the finite samples."""
    finite = samples[np.isfinite(samples)]
    if finite.size < 2:
        return None
    low, high = np.percentile(finite, _TAILS)
    return float(low), float(high)
