"""1:1 with every pair of a folder: millions of comparisons, blockwise, in bounded memory. Pure."""

import heapq
from dataclasses import dataclass, field

import numpy as np

from app.evaluation.blocks import BINS, Block, Faces, Genuine, binned, blocks, edges, genuine_blocks
from app.evaluation.bootstrap import Estimate, interval, multiplicities
from app.evaluation.curves import Comparisons, Curve
from app.evaluation.discard import far_of, fnmr_of_folder
from app.evaluation.values import Advance, Bools, Doubles, Embedded, Ints, unit
from app.evaluation.verification import failure_rate_of, figures_of

_MOST_WEIGHINGS = 2_000_000_000  # comparisons times replicates: about half a minute on two cores
_LEAST_REPLICATES = 20
KEPT = 20

Hard = tuple[float, int, int]
"""Similarity and the two photos' places."""


@dataclass(frozen=True, slots=True)
class AllCompared:
    """What all pairs gave; `genuine` and `impostor` (BINS,) count similarities, the hardest pairs come first.

    `prevented` counts the genuine comparisons that could not be made.
    """

    curve: Curve
    genuine: Doubles
    impostor: Doubles
    prevented: int
    estimates: dict[str, Estimate]
    hard_genuine: list[Hard]
    hard_impostor: list[Hard]


@dataclass(slots=True)
class _Counts:
    """Histograms (1 + replicates, BINS): the set as it is, then each replicate; the hardest by places in `Faces`."""

    genuine: Doubles
    impostor: Doubles
    hard_genuine: list[Hard] = field(default_factory=list)
    hard_impostor: list[Hard] = field(default_factory=list)


def comparisons_of(embedded: Embedded) -> int:
    """Return how many pairs there are."""
    found = int(embedded.is_found.sum())
    return found * (found - 1) // 2


def compare_all(embedded: Embedded, *, replicates: int, advance: Advance = lambda _: None) -> AllCompared:
    """Compare every two photos: one person's are genuine, others impostors. `advance` counts comparisons.

    Very many comparisons get fewer replicates, or none and then no intervals. A genuine comparison that could not be
    made is rejected at every threshold.
    """
    places, people = np.flatnonzero(embedded.is_found), embedded.people
    vectors = unit(embedded.embeddings[places]).astype(np.float32)
    faces = Faces(vectors, people[places], embedded.quality[places])
    drawn = _drawn(int(people.max()) + 1, replicates, comparisons_of(embedded))
    counts = _Counts(np.zeros((len(drawn), BINS)), np.zeros((len(drawn), BINS)))
    for pairs in genuine_blocks(faces):
        _count_genuine(counts, pairs, faces.people, drawn)
    for block in blocks(faces):
        advance(_count_impostors(counts, block, faces.people, drawn))

    missing = _missing(people, embedded.is_found)
    comparisons = Comparisons(np.append(edges(), -np.inf), edges())
    curves = [
        comparisons.curve(np.append(genuine, lost), impostor)
        for genuine, lost, impostor in zip(counts.genuine, drawn @ missing, counts.impostor, strict=True)
    ]
    discarded = fnmr_of_folder(faces, missing, drawn, curves, far_of(int(counts.impostor[0].sum())))
    failure_rate = failure_rate_of(embedded)
    figures = [
        {**figures_of(curve), "failures_to_enroll_rate": failure_rate(row), **rates}
        for curve, row, rates in zip(curves, drawn, discarded, strict=True)
    ]
    return AllCompared(
        curves[0],
        counts.genuine[0],
        counts.impostor[0],
        int(missing.sum()),
        {
            name: Estimate(value, interval(np.array([each[name] for each in figures[1:]])))
            for name, value in figures[0].items()
        },
        _placed(counts.hard_genuine, places),
        _placed(counts.hard_impostor, places),
    )


def _drawn(people: int, replicates: int, comparisons: int) -> Doubles:
    """Return each person's multiplicity (1 + replicates, people): once, then as often as drawn."""
    replicates = min(replicates, _MOST_WEIGHINGS // max(comparisons, 1))
    drawn = multiplicities(people, replicates if replicates >= _LEAST_REPLICATES else 0)
    return np.concatenate([np.ones((1, people)), drawn])


def _count_genuine(counts: _Counts, pairs: Genuine, people: Ints, drawn: Doubles) -> None:
    bins, times = np.unique(binned(pairs.cosines), return_counts=True)
    counts.genuine[:, bins] += drawn[:, people[pairs.poorer[:1]]] * times
    first, second = np.minimum(pairs.poorer, pairs.better), np.maximum(pairs.poorer, pairs.better)
    lowest = np.argsort(pairs.cosines)[:KEPT]
    new = [(float(pairs.cosines[at]), int(first[at]), int(second[at])) for at in lowest]
    counts.hard_genuine = heapq.nsmallest(KEPT, [*counts.hard_genuine, *new])


def _count_impostors(counts: _Counts, block: Block, people: Ints, drawn: Doubles) -> int:
    """Count one block of comparisons; return how many."""
    first, second = people[block.rows], people[block.columns]
    is_counted = (first[:, None] != second) & block.is_new
    bins = np.where(is_counted, binned(block.cosines), BINS).ravel()  # the last bin is thrown away
    for row, times in enumerate(drawn):
        weights = np.multiply.outer(times[first], times[second]).ravel()
        counts.impostor[row] += np.bincount(bins, weights, BINS + 1)[:BINS]
    counts.hard_impostor = _hardest(counts.hard_impostor, block, is_counted)
    return int(block.is_new.sum())


def _hardest(known: list[Hard], block: Block, is_counted: Bools) -> list[Hard]:
    flat = np.where(is_counted, block.cosines, -2).ravel()
    least = known[-1][0] if len(known) == KEPT else -1.5
    above = np.flatnonzero(flat > least)
    highest = above[np.argsort(-flat[above])[:KEPT]]
    rows, columns = np.unravel_index(highest, is_counted.shape)
    new = [
        (float(flat[at]), int(block.rows[row]), int(block.columns[column]))
        for at, row, column in zip(highest, rows, columns, strict=True)
    ]
    return heapq.nlargest(KEPT, [*known, *new])


def _placed(hard: list[Hard], places: Ints) -> list[Hard]:
    return [(similarity, int(places[one]), int(places[two])) for similarity, one, two in hard]


def _missing(people: Ints, is_found: Bools) -> Doubles:
    """Return for each person how many genuine comparisons a face that was not found has prevented."""
    total, found = np.bincount(people), np.bincount(people, is_found)
    return (total * (total - 1) - found * (found - 1)) / 2
