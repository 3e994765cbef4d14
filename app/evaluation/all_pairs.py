"""1:1 with every pair of a folder: millions of comparisons, blockwise, in bounded memory. Pure."""

import heapq
from dataclasses import dataclass, field

import numpy as np

from app.evaluation.bootstrap import Estimate, interval, multiplicities
from app.evaluation.curves import Comparisons, Curve
from app.evaluation.values import Advance, Bools, Doubles, Embedded, Ints, unit
from app.evaluation.verification import failure_rate_of, figures_of
from app.faces import Floats

BINS = 20_000  # of [-1, 1]; thresholds are the bins' lower edges
_BLOCK = 1024
_MOST_WEIGHINGS = 2_000_000_000  # comparisons times replicates: about half a minute on two cores
_LEAST_REPLICATES = 20
KEPT = 20

Hard = tuple[float, int, int]
"""Similarity and the two photos' places."""


@dataclass(slots=True)
class _Counts:
    """Histograms (1 + replicates, BINS): the set as it is, then each replicate."""

    genuine: Doubles
    impostor: Doubles
    hard_genuine: list[Hard] = field(default_factory=list)
    hard_impostor: list[Hard] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AllCompared:
    """What all pairs gave; `genuine` and `impostor` (BINS,) count similarities, the hardest pairs come first."""

    curve: Curve
    genuine: Doubles
    impostor: Doubles
    estimates: dict[str, Estimate]
    hard_genuine: list[Hard]
    hard_impostor: list[Hard]


def edges() -> Doubles:
    """Return the bins' lower edges (BINS,)."""
    return np.arange(BINS, dtype=np.float64) * (2 / BINS) - 1


def comparisons_of(embedded: Embedded) -> int:
    """Return how many pairs there are."""
    found = int(embedded.is_found.sum())
    return found * (found - 1) // 2


def compare_all(embedded: Embedded, *, replicates: int, advance: Advance = lambda _: None) -> AllCompared:
    """Compare every two photos: one person's are genuine, others impostors. `advance` counts comparisons.

    Very many comparisons get fewer replicates, or none and then no intervals. A genuine comparison that could not be
    made is rejected at every threshold.
    """
    places = np.flatnonzero(embedded.is_found)
    vectors, people = unit(embedded.embeddings[places]).astype(np.float32), embedded.people
    replicates = min(replicates, _MOST_WEIGHINGS // max(comparisons_of(embedded), 1))
    drawn = multiplicities(people.max() + 1, replicates if replicates >= _LEAST_REPLICATES else 0)
    drawn = np.concatenate([np.ones((1, drawn.shape[1])), drawn])
    counts = _Counts(np.zeros((len(drawn), BINS)), np.zeros((len(drawn), BINS)))
    _count_genuine(counts, vectors, people[places], drawn)
    for start in range(0, len(vectors), _BLOCK):
        for other in range(start, len(vectors), _BLOCK):
            advance(_count_impostors(counts, vectors, people[places], drawn, start=start, other=other))

    missing = drawn @ _missing(people, embedded.is_found)
    comparisons = Comparisons(np.append(edges(), -np.inf), edges())
    failure_rate = failure_rate_of(embedded)
    curves = [
        comparisons.curve(np.append(genuine, lost), impostor)
        for genuine, lost, impostor in zip(counts.genuine, missing, counts.impostor, strict=True)
    ]
    figures = [
        figures_of(curve) | {"failures_to_enrol_rate": failure_rate(row)}
        for curve, row in zip(curves, drawn, strict=True)
    ]
    found = {
        name: Estimate(value, interval(np.array([each[name] for each in figures[1:]])))
        for name, value in figures[0].items()
    }

    def placed(hard: list[Hard]) -> list[Hard]:
        return [(similarity, int(places[one]), int(places[two])) for similarity, one, two in hard]

    return AllCompared(
        curves[0],
        counts.genuine[0],
        counts.impostor[0],
        found,
        placed(counts.hard_genuine),
        placed(counts.hard_impostor),
    )


def _count_genuine(counts: _Counts, vectors: Floats, people: Ints, drawn: Doubles) -> None:
    order = np.argsort(people, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(people[order])) + 1):
        for start in range(0, len(group), _BLOCK):
            rows = group[start : start + _BLOCK]
            cosines = vectors[rows] @ vectors[group].T
            one, two = np.nonzero(np.arange(len(group)) > start + np.arange(len(rows))[:, None])
            bins, times = np.unique(_binned(cosines[one, two]), return_counts=True)
            counts.genuine[:, bins] += drawn[:, people[group[:1]]] * times
            lowest = np.argsort(cosines[one, two])[:KEPT]
            new = [(float(cosines[one[at], two[at]]), int(rows[one[at]]), int(group[two[at]])) for at in lowest]
            counts.hard_genuine = heapq.nsmallest(KEPT, [*counts.hard_genuine, *new])


def _count_impostors(counts: _Counts, vectors: Floats, people: Ints, drawn: Doubles, *, start: int, other: int) -> int:
    """Count one block of comparisons; return how many."""
    rows, columns = np.arange(len(vectors))[start : start + _BLOCK], np.arange(len(vectors))[other : other + _BLOCK]
    cosines = vectors[rows] @ vectors[columns].T
    is_counted = (people[rows][:, None] != people[columns]) & (rows[:, None] < columns)
    bins = np.where(is_counted, _binned(cosines), BINS).ravel()  # the last bin is thrown away
    for row, times in enumerate(drawn):
        weights = np.multiply.outer(times[people[rows]], times[people[columns]]).ravel()
        counts.impostor[row] += np.bincount(bins, weights, BINS + 1)[:BINS]
    counts.hard_impostor = _hardest(counts.hard_impostor, np.where(is_counted, cosines, -2), rows, columns)
    return int((rows[:, None] < columns).sum())


def _hardest(known: list[Hard], cosines: Floats, rows: Ints, columns: Ints) -> list[Hard]:
    flat = cosines.ravel()
    least = known[-1][0] if len(known) == KEPT else -1.5
    above = np.flatnonzero(flat > least)
    highest = above[np.argsort(-flat[above])[:KEPT]]
    new = [(float(flat[at]), int(rows[at // len(columns)]), int(columns[at % len(columns)])) for at in highest]
    return heapq.nlargest(KEPT, [*known, *new])


def _binned(cosines: Floats) -> Ints:
    return np.clip(((cosines.astype(np.float64) + 1) * (BINS / 2)).astype(np.intp), 0, BINS - 1)


def _missing(people: Ints, is_found: Bools) -> Doubles:
    """Return for each person how many genuine comparisons a face that was not found has prevented."""
    total, found = np.bincount(people), np.bincount(people, is_found)
    return (total * (total - 1) - found * (found - 1)) / 2
