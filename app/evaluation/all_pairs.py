"""Verification with every pair of photos in a folder: millions of comparisons in bounded memory. Pure."""

import heapq
from dataclasses import dataclass, field

import numpy as np

from app.evaluation.blocks import (
    BINS,
    FaceSet,
    GenuinePairs,
    SimilarityBlock,
    bin_edges,
    bin_indices,
    blocks,
    genuine_blocks,
)
from app.evaluation.bootstrap import Estimate, draw_multiplicities, interval, supported_replicates
from app.evaluation.calibration_check import PromisedRate, observed_rates, promised_fmrs
from app.evaluation.curves import Comparisons, RocCurve
from app.evaluation.discard import folder_fnmr, supported_far
from app.evaluation.values import Advance, Bools, Doubles, EmbeddedPhotos, Ints
from app.evaluation.verification import failure_rate_of, figures_of
from app.recognition.decisions.calibration.error_rates import Calibration

HARDEST = 20  # pairs of each kind in a report

HardPair = tuple[float, int, int]
"""The similarity of a pair and the indices of its two photos."""


@dataclass(frozen=True, slots=True)
class AllPairsResult:
    """Result for all pairs: histograms of similarities (BINS,) and the hardest pairs, hardest first.

    `prevented` counts the genuine comparisons that were impossible because a photo has no face.
    """

    curve: RocCurve
    genuine: Doubles
    impostor: Doubles
    prevented: int
    estimates: dict[str, Estimate]
    hard_genuine: list[HardPair]
    hard_impostor: list[HardPair]
    promises: tuple[PromisedRate, ...]


@dataclass(slots=True)
class _Histograms:
    """Histograms (1 + replicates, BINS) of the set and of each replicate; hardest pairs by index in the FaceSet."""

    genuine: Doubles
    impostor: Doubles
    hard_genuine: list[HardPair] = field(default_factory=list)
    hard_impostor: list[HardPair] = field(default_factory=list)


def comparison_count(embedded: EmbeddedPhotos) -> int:
    """Return the number of pairs of photos with a face."""
    with_face = int(embedded.has_face.sum())
    return with_face * (with_face - 1) // 2


def compare_all(
    embedded: EmbeddedPhotos,
    *,
    calibration: Calibration | None = None,
    replicates: int,
    advance: Advance = lambda _: None,
) -> AllPairsResult:
    """Compare all pairs of photos: genuine ones of one person, impostor ones of two people.

    `advance` is called with the number of comparisons. Large sets get fewer replicates; very large ones get none, and
    therefore no intervals. A genuine comparison without two faces counts as rejected at every threshold.
    """
    indices, people = np.flatnonzero(embedded.has_face), embedded.people
    vectors = embedded.vectors[indices].astype(np.float32)
    faces = FaceSet(vectors, people[indices], embedded.quality[indices])
    multiplicities = _with_replicates(int(people.max()) + 1, replicates, comparison_count(embedded))
    histograms = _Histograms(np.zeros((len(multiplicities), BINS)), np.zeros((len(multiplicities), BINS)))
    for pairs in genuine_blocks(faces):
        _count_genuine(histograms, pairs, faces.people, multiplicities)
    for block in blocks(faces):
        advance(_count_impostors(histograms, block, faces.people, multiplicities))

    missing = _missing(people, embedded.has_face)
    curves = _curves(histograms, multiplicities @ missing)
    discarded = folder_fnmr(faces, missing, multiplicities, curves, supported_far(int(histograms.impostor[0].sum())))
    failure_rate, promises = failure_rate_of(embedded), promised_fmrs(calibration)
    figures, *replicated = [
        {**figures_of(curve), **observed_rates(curve, promises), "failures_to_enroll_rate": failure_rate(row), **rates}
        for curve, row, rates in zip(curves, multiplicities, discarded, strict=True)
    ]
    return AllPairsResult(
        curves[0],
        histograms.genuine[0],
        histograms.impostor[0],
        int(missing.sum()),
        {name: Estimate(value, interval(np.array([of[name] for of in replicated]))) for name, value in figures.items()},
        _to_photo_indices(histograms.hard_genuine, indices),
        _to_photo_indices(histograms.hard_impostor, indices),
        promises,
    )


def _curves(histograms: _Histograms, missing: Doubles) -> list[RocCurve]:
    """Return a curve for each row of the histograms; `missing` (rows,) genuine comparisons lack a face."""
    comparisons = Comparisons(np.append(bin_edges(), -np.inf), bin_edges())
    return [
        comparisons.curve(np.append(genuine, missing_pairs), impostor)
        for genuine, missing_pairs, impostor in zip(histograms.genuine, missing, histograms.impostor, strict=True)
    ]


def _with_replicates(people: int, replicates: int, comparisons: int) -> Doubles:
    """Return the multiplicity of each person (1 + replicates, people): ones for the set, then the replicates."""
    multiplicities = draw_multiplicities(people, supported_replicates(replicates, comparisons))
    return np.concatenate([np.ones((1, people)), multiplicities])


def _count_genuine(histograms: _Histograms, pairs: GenuinePairs, people: Ints, multiplicities: Doubles) -> None:
    bins, counts = np.unique(bin_indices(pairs.cosines), return_counts=True)
    histograms.genuine[:, bins] += multiplicities[:, people[pairs.poorer[:1]]] * counts
    first, second = np.minimum(pairs.poorer, pairs.better), np.maximum(pairs.poorer, pairs.better)
    lowest = np.argsort(pairs.cosines)[:HARDEST]
    new = [(float(pairs.cosines[at]), int(first[at]), int(second[at])) for at in lowest]
    histograms.hard_genuine = heapq.nsmallest(HARDEST, [*histograms.hard_genuine, *new])


def _count_impostors(histograms: _Histograms, block: SimilarityBlock, people: Ints, multiplicities: Doubles) -> int:
    """Count the comparisons of a block in the histograms; return their number."""
    first, second = people[block.rows], people[block.columns]
    is_counted = (first[:, None] != second) & block.is_new
    bins = np.where(is_counted, bin_indices(block.cosines), BINS).ravel()  # the last bin is discarded
    for row, counts in enumerate(multiplicities):
        weights = np.multiply.outer(counts[first], counts[second]).ravel()
        histograms.impostor[row] += np.bincount(bins, weights, BINS + 1)[:BINS]
    histograms.hard_impostor = _hardest(histograms.hard_impostor, block, is_counted)
    return int(block.is_new.sum())


def _hardest(hardest: list[HardPair], block: SimilarityBlock, is_counted: Bools) -> list[HardPair]:
    flat = np.where(is_counted, block.cosines, -2).ravel()
    lowest = hardest[-1][0] if len(hardest) == HARDEST else -1.5
    above = np.flatnonzero(flat > lowest)
    highest = above[np.argsort(-flat[above])[:HARDEST]]
    rows, columns = np.unravel_index(highest, is_counted.shape)
    new = [
        (float(flat[at]), int(block.rows[row]), int(block.columns[column]))
        for at, row, column in zip(highest, rows, columns, strict=True)
    ]
    return heapq.nlargest(HARDEST, [*hardest, *new])


def _to_photo_indices(hard: list[HardPair], indices: Ints) -> list[HardPair]:
    return [(similarity, int(indices[one]), int(indices[two])) for similarity, one, two in hard]


def _missing(people: Ints, has_face: Bools) -> Doubles:
    """Return for each person the number of genuine comparisons lost to photos without a face."""
    total, with_face = np.bincount(people), np.bincount(people, has_face)
    return (total * (total - 1) - with_face * (with_face - 1)) / 2
