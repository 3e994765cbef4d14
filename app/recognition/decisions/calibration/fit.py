"""From impostor scores to a calibration.

Inside the sample the rate is counted. Beyond it a generalised Pareto distribution is fitted to the exceedances over
the threshold that one pair in a thousand reaches (peaks over threshold: Pickands, Annals of Statistics 1975), with all
above one in a hundred thousand censored: in real galleries the very highest impostor scores are photos under a wrong
name, and the tail must not be led by them. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.errors import CalibrationTooSmall
from app.observability.counted import counted
from app.recognition.decisions.calibration.error_rates import (
    LEVELS,
    SPREAD_LEVELS,
    Calibration,
    CalibrationOrigin,
    ParetoTail,
    Spread,
)
from app.recognition.decisions.calibration.moments import moments_of_all
from app.recognition.decisions.calibration.template_stretch import fit_template_stretch
from app.recognition.decisions.scoring import Scoring
from app.types import Floats

_BINS = 40_000  # of similarity -1..1
_GROUPS = 16  # of people, resampled together
_RESAMPLES = 400
_TAIL_FROM, _CENSORED_FROM = 1e-3, 1e-5
_LEAST_PAIRS = 100_000
_LEAST_COUNTED = 100  # scores above a threshold, for its rate to be resampled
_LOWEST = 0.05
_BLOCK = 2048
_GRID, _REFINEMENTS = 101, 12  # 12 refinements of 101 points leave 1e-20 of the first range

Counts = NDArray[np.int64]


def calibrate(
    vectors: Floats, people: Sequence[str], origin: CalibrationOrigin, *, norms: Floats, scoring: Scoring | None = None
) -> Calibration:
    """Fit a calibration to unit vectors (n, d), whose they are (n), and their raw feature norms (n,).

    Every pair of different people is an impostor. Similarities are those of `scoring`; by default, of one that is
    fitted to these faces.

    Memory stays bounded: scores are counted in fine bins, block by block. Raises CalibrationTooSmall below 100,000
    pairs, where one in a thousand could not be counted.
    """
    if not len(vectors):
        raise CalibrationTooSmall("there are no faces")
    _, person = np.unique(np.asarray(people), return_inverse=True)
    scoring = scoring or Scoring.fitted(vectors, norms, person)
    vectors = scoring.vectors(vectors, norms)
    group = np.random.default_rng(0).integers(0, _GROUPS, person.max(initial=0) + 1)[person]
    counts = _counted(vectors, person, group)
    total = counts.sum(axis=(0, 1))
    pairs = int(total.sum())
    if pairs < _LEAST_PAIRS:
        raise CalibrationTooSmall(
            f"{counted(pairs, 'pair of different people is', 'pairs of different people are')} "
            f"too few; at least {_LEAST_PAIRS:,} are needed"
        )
    thresholds = tuple(_reached(total, level) for level in LEVELS)
    fitted = Calibration(
        replace(origin, people=int(person.max()) + 1, faces=len(vectors), pairs=pairs),
        thresholds,
        _tail(total),
        (),
        typical_norm=float(np.median(norms)) if scoring.typical_norm is None else scoring.typical_norm,
        mean=None if scoring.mean is None else tuple(scoring.mean.astype(float).round(7).tolist()),
        moments=moments_of_all(vectors, person),
    )
    return replace(
        fitted, spread=_spread(fitted, counts), template_stretch=fit_template_stretch(fitted, vectors, person)
    )


def _counted(vectors: Floats, person: NDArray[np.intp], group: NDArray[np.int64]) -> Counts:
    """Count impostor scores: (groups, groups, bins), each pair once."""
    order = np.argsort(group, kind="stable")
    vectors, person, group = vectors[order], person[order], group[order]
    counts = np.zeros((_GROUPS, _GROUPS, _BINS), np.int64)
    for rows in _blocks(group):
        for columns in _blocks(group):
            if columns.start < rows.start:
                continue
            scores = vectors[rows] @ vectors[columns].T
            is_impostor = person[rows, None] != person[None, columns]
            if columns.start == rows.start:
                is_impostor &= np.triu(np.ones_like(is_impostor), 1)
            bins = np.clip((scores[is_impostor] + 1) * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
            counts[group[rows.start], group[columns.start]] += np.bincount(bins, minlength=_BINS)
    return counts


def _blocks(group: NDArray[np.int64]) -> Iterator[slice]:
    """Yield slices of at most `_BLOCK` rows that stay inside one group; `group` is sorted."""
    starts = np.searchsorted(group, np.arange(_GROUPS + 1))
    for start, stop in pairwise(starts.tolist()):
        for first in range(start, stop, _BLOCK):
            yield slice(first, min(first + _BLOCK, stop))


def _reached(counts: NDArray[np.float64] | Counts, rate: float) -> float:
    """Return the similarity that the share `rate` of the counted scores reaches (to a bin's width)."""
    above = np.cumsum(counts[::-1])
    bin_from_top = int(np.searchsorted(above, rate * above[-1]))
    return float(1 - (bin_from_top + 1) * (2 / _BINS))


def _tail(counts: Counts) -> ParetoTail:
    """Fit the generalised Pareto by maximum likelihood; scores above `_CENSORED_FROM` are counted, not measured."""
    start, stop = _reached(counts, _TAIL_FROM), _reached(counts, _CENSORED_FROM)
    middles = (np.arange(_BINS) + 0.5) * (2 / _BINS) - 1
    is_seen = (middles >= start) & (middles < stop)
    excesses = np.asarray(middles[is_seen] - start, np.float64)
    weights, censored = counts[is_seen].astype(np.float64), float(counts[middles >= stop].sum())
    shape, scale = fit_pareto(excesses, weights, censored=censored, limit=stop - start)
    rate = float(counts[middles >= start].sum() / counts.sum())
    return ParetoTail(start, rate, shape, scale)


def fit_pareto(
    excesses: NDArray[np.float64], weights: NDArray[np.float64], *, censored: float, limit: float
) -> tuple[float, float]:
    """Return shape and scale of the generalised Pareto distribution with the highest likelihood.

    For a given ratio of shape to scale the best shape has a closed form, so only the ratio is searched (Grimshaw,
    Technometrics 1993), on a grid that becomes finer around its best point.

    Args:
        excesses: Values (n,) from 0 to `limit`.
        weights: How often each occurs (n,).
        censored: How many values lie above `limit`.
        limit: Largest value that is measured.
    """
    total = weights.sum()
    low, high = -1 / limit * (1 - 1e-9), 100 / limit
    for _ in range(_REFINEMENTS):
        ratios = np.linspace(low, high, _GRID)
        ratios[ratios == 0] = 1e-12
        logs = np.log1p(np.outer(ratios, excesses)) @ weights
        shapes = (logs + censored * np.log1p(ratios * limit)) / total
        best = int(np.argmin(total * np.log(shapes / ratios) + logs))
        low, high = ratios[max(best - 1, 0)], ratios[min(best + 1, _GRID - 1)]
    return float(shapes[best]), float(shapes[best] / ratios[best])


def _spread(fitted: Calibration, counts: Counts) -> tuple[Spread, ...]:
    """Resample groups of people: how far would the rate at each threshold have been from the one fitted?"""
    rng = np.random.default_rng(0)
    draws = rng.multinomial(_GROUPS, np.full(_GROUPS, 1 / _GROUPS), _RESAMPLES).astype(np.float64)
    spread = []
    for level in SPREAD_LEVELS:
        measured = max(level, _CENSORED_FROM, _LEAST_COUNTED / fitted.origin.pairs)
        first = int((fitted.threshold(measured) + 1) * (_BINS / 2))
        above, every = counts[:, :, first:].sum(axis=2), counts.sum(axis=2)
        rates = np.array([(draw @ above @ draw) / (draw @ every @ draw) for draw in draws])
        low, high = np.quantile(rates / np.median(rates), [0.025, 0.975])
        widened = np.log10(measured / level) + 1  # beyond what can be counted, doubt grows by the decade
        spread.append(Spread(level, float(max(low, _LOWEST) ** widened), float(high**widened)))
    return tuple(spread)
