"""Weighted counts of comparisons and errors in cells, for the set and each bootstrap replicate. Pure.

`multiplicities` (r, people) is how often each person counts: ones in the first row (the set), then the replicates.
A genuine pair counts as often as its person, an impostor pair as often as the product of its two people.
"""

from collections.abc import Iterator

import numpy as np

from app.evaluation.groups.scored_pairs import ScoredPairs
from app.evaluation.values import Doubles, Ints

_CHUNK = 2_000_000  # weights at once
_ROUNDING = 1e-9  # relative tolerance: 3 of 3,000 is a rate of 1e-3


def count_by_person(people: Ints, groups: Ints, shape: tuple[int, int]) -> Doubles:
    """Return how many photos, or genuine pairs, each person has in each group.

    Args:
        people: Person of each photo or pair (n,).
        groups: Group of each photo or pair (n,); a negative one is not counted.
        shape: Number of people and of groups, the shape of the result.
    """
    is_stated = groups >= 0
    cells = people[is_stated] * shape[1] + groups[is_stated]
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def impostor_totals(multiplicities: Doubles, counts: Doubles) -> Doubles:
    """Return the impostor pairs between each two groups (r, groups, groups), from photo counts (people, groups).

    The result is symmetric; on its diagonal, each pair is counted once.
    """
    photos = multiplicities @ counts
    own = np.einsum("rp,pg,ph->rgh", np.square(multiplicities), counts, counts, optimize=True)
    totals: Doubles = photos[:, :, None] * photos[:, None, :] - own
    diagonal = np.arange(counts.shape[1])
    totals[:, diagonal, diagonal] /= 2
    return totals


def all_impostors(multiplicities: Doubles, people: Ints) -> Doubles:
    """Return the number of all impostor pairs (r,) of photos of these people (n,)."""
    photos = np.bincount(people, minlength=multiplicities.shape[1]).astype(np.float64)
    return impostor_totals(multiplicities, photos[:, None])[:, 0, 0]


def error_counts(
    multiplicities: Doubles, pairs: ScoredPairs, people: Ints, cells: Ints, *, size: int, thresholds: Doubles
) -> Doubles:
    """Return the errors in each cell (r, size); NaN if the threshold of the row is NaN.

    A genuine pair is an error below the threshold, an impostor pair from the threshold on.

    Args:
        multiplicities: (r, people).
        pairs: Genuine pairs or impostor pairs (n,).
        people: Person of each photo.
        cells: Cell of each pair (n,); a negative one is not counted.
        size: Number of cells.
        thresholds: One for each row (r,).
    """
    is_genuine, low, high = people[pairs.first] == people[pairs.second], *_range(thresholds)
    is_possible = np.where(is_genuine, pairs.similarities < high, pairs.similarities >= low) & (cells >= 0)
    order = np.flatnonzero(is_possible)[np.argsort(cells[is_possible], kind="stable")]
    similarities, first, second = pairs.similarities[order], people[pairs.first[order]], people[pairs.second[order]]
    is_genuine = is_genuine[order]
    used, starts = np.unique(cells[order], return_index=True)
    sums = np.zeros((len(multiplicities), size))
    for rows in _chunks(len(multiplicities), len(order)):
        weights = multiplicities[rows][:, first] * np.where(is_genuine, 1, multiplicities[rows][:, second])
        is_error = (similarities >= thresholds[rows, None]) != is_genuine
        sums[rows, used] = np.add.reduceat(weights * is_error, starts, axis=1)
    return np.where(np.isnan(thresholds)[:, None], np.nan, sums)


def people_with_error(pairs: ScoredPairs, people: Ints, cells: Ints, *, size: int, threshold: float) -> Ints:
    """Return how many pairs of people (for genuine pairs: people) have an error in each cell (size,).

    The arguments are those of `error_counts`.
    """
    first, second = people[pairs.first], people[pairs.second]
    is_error = ((pairs.similarities >= threshold) != (first == second)) & (cells >= 0)
    low, high = np.minimum(first, second)[is_error], np.maximum(first, second)[is_error]
    distinct = np.unique(np.stack([cells[is_error], low, high]), axis=1)
    return np.bincount(distinct[0], minlength=size)


def set_thresholds(
    multiplicities: Doubles, pairs: ScoredPairs, people: Ints, *, totals: Doubles, rate: float
) -> Doubles:
    """Return the lowest threshold (r,) that at most the share `rate` of all impostor pairs reaches.

    It is just above the similarity of the most similar pair that it must reject; NaN if it would accept all `pairs`.

    Args:
        multiplicities: (r, people).
        pairs: The most similar impostor pairs.
        people: Person of each photo.
        totals: Number of all impostor pairs (r,).
        rate: The tolerated share.
    """
    allowed = rate * totals * (1 + _ROUNDING)
    first, second = people[pairs.first], people[pairs.second]
    above = np.nextafter(np.append(pairs.similarities, np.nan), np.inf)
    thresholds = np.full(len(multiplicities), np.nan)
    for rows in _chunks(len(multiplicities), len(first)):
        accepted = (multiplicities[rows][:, first] * multiplicities[rows][:, second]).cumsum(axis=1)
        thresholds[rows] = above[(accepted <= allowed[rows, None]).sum(axis=1)]
    return thresholds


def _range(thresholds: Doubles) -> tuple[float, float]:
    known = thresholds[~np.isnan(thresholds)]
    return float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))


def _chunks(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of rows with at most about `_CHUNK` values."""
    size = max(_CHUNK // max(columns, 1), 1)
    if columns:
        for start in range(0, rows, size):
            yield slice(start, start + size)
