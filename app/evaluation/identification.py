"""Identification: ranks, open-set error rates, and MegaFace's distractors, searched in blocks. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.errors import EvaluationInvalid
from app.evaluation.bootstrap import REPLICATES, Estimate, Figures, estimates
from app.evaluation.calibration_check import PromisedRate, observed_rates, promised_fpirs
from app.evaluation.curves import FARS, Comparisons, RocCurve, label, tar_at
from app.evaluation.values import Advance, Bools, Doubles, EmbeddedPhotos, Ints, score
from app.evaluation.verification import failure_rate_of
from app.recognition.decisions.calibration.error_rates import Calibration
from app.types import Floats

RANKS = (1, 2, 5, 10, 20, 50)
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class GallerySplit:
    """Indices of photos: `gallery` (g,), `probes` (p,), their `mates` (p,) in the gallery, and `strangers` (s,)."""

    gallery: Ints
    probes: Ints
    mates: Ints
    strangers: Ints

    @property
    def is_leave_one_out(self) -> bool:
        """Whether the searches without a mate are the probes with their mates removed, because nobody is a stranger."""
        return not self.strangers.size

    @property
    def searches(self) -> Ints:
        """Return the indices of the photos of the searches without a mate (s,)."""
        return self.probes if self.is_leave_one_out else self.strangers


@dataclass(frozen=True, slots=True)
class SearchResults:
    """For each probe: similarity of its mate (-inf without one), and similarity and index of the best other person."""

    mate: Doubles
    other: Doubles
    other_index: Ints
    rank: Ints


@dataclass(frozen=True, slots=True)
class IdentificationResult:
    """Result of all searches; the `tar` of the curve is 1 - FNIR, its `far` is FPIR.

    `non_mated` (s,) contains the highest similarity of each search without a mate; NaN if its photo has no face.
    """

    split: GallerySplit
    mated: SearchResults
    non_mated: Doubles
    non_mated_index: Ints
    curve: RocCurve
    estimates: dict[str, Estimate]
    promises: tuple[PromisedRate, ...]


def split_gallery(people: Ints) -> GallerySplit:
    """Enroll the first photo of each person with several photos; the others are probes. Single photos are strangers."""
    order = np.argsort(people, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(people[order])) + 1)
    with_mates = [group for group in groups if len(group) > 1]
    if not with_mates:
        raise EvaluationInvalid("identification needs people with two photos or more")
    return GallerySplit(
        np.array([group[0] for group in with_mates]),
        np.concatenate([group[1:] for group in with_mates]),
        np.repeat(np.arange(len(with_mates)), [len(group) - 1 for group in with_mates]),
        np.array([group[0] for group in groups if len(group) == 1], np.intp),
    )


def search(probes: Floats, gallery: Floats, mates: Ints, advance: Advance = lambda _: None) -> SearchResults:
    """Search unit vectors (p, d) in (g, d); `mates` (p,) is -1 for a stranger. NaN vectors never match.

    The rank of a mate is 1 + the number of others that are at least as similar, so a tie is not a hit.
    """
    mate, other = np.full(len(probes), -np.inf), np.full(len(probes), -np.inf)
    other_index, rank = np.zeros(len(probes), np.intp), np.full(len(probes), len(gallery) + 1)
    for start in range(0, len(probes), _BLOCK):
        block = slice(start, start + _BLOCK)
        cosines = probes[block] @ gallery.T
        cosines[np.isnan(cosines)] = -np.inf
        rows, own = np.arange(len(cosines)), mates[block]
        mate[block] = np.where(own >= 0, cosines[rows, own], -np.inf)
        cosines[rows[own >= 0], own[own >= 0]] = -np.inf
        other_index[block] = cosines.argmax(axis=1)
        other[block] = cosines[rows, other_index[block]]
        is_comparable = np.isfinite(mate[block])
        rank[block] = np.where(is_comparable, 1 + (cosines >= mate[block][:, None]).sum(axis=1), len(gallery) + 1)
        advance(len(cosines))
    return SearchResults(mate, other, other_index, rank)


def identify(
    embedded: EmbeddedPhotos,
    *,
    calibration: Calibration | None = None,
    replicates: int = REPLICATES,
    advance: Advance = lambda _: None,
) -> IdentificationResult:
    """Evaluate a folder of people, closed and open set.

    If there are no people with a single photo, the open-set searches are the probes with their mates removed.
    """
    people = embedded.people
    roles = split_gallery(people)
    mated, unmated = _search_all(embedded, roles)
    is_possible = np.isfinite(unmated.other)  # a search without a face proves nothing
    comparisons = Comparisons(np.where(mated.rank == 1, mated.mate, -np.inf), unmated.other[is_possible])
    failure_rate = failure_rate_of(embedded)
    promises = promised_fpirs(calibration, len(roles.gallery) - roles.is_leave_one_out)

    def curve_of(multiplicities: Doubles) -> RocCurve:
        return comparisons.curve(
            multiplicities[people[roles.probes]], multiplicities[people[roles.searches[is_possible]]]
        )

    def figures(multiplicities: Doubles) -> Figures:
        weights, curve = multiplicities[people[roles.probes]], curve_of(multiplicities)
        total = weights.sum() or np.nan
        return (
            {f"rank@{k}": float(weights[mated.rank <= k].sum() / total) for k in RANKS if k <= len(roles.gallery)}
            | {f"fnir@{label(fpir)}": 1 - tar_at(curve, fpir) for fpir in FARS}
            | observed_rates(curve, promises)
            | {"failures_to_enroll_rate": failure_rate(multiplicities)}
        )

    count = int(people.max()) + 1
    figures_with_intervals = estimates(figures, people=count, replicates=replicates, advance=advance)
    non_mated, curve = np.where(is_possible, unmated.other, np.nan), curve_of(np.ones(count))
    return IdentificationResult(roles, mated, non_mated, unmated.other_index, curve, figures_with_intervals, promises)


def _search_all(embedded: EmbeddedPhotos, roles: GallerySplit) -> tuple[SearchResults, SearchResults]:
    """Return the mated and the non-mated searches."""
    vectors = embedded.vectors.astype(np.float32)
    gallery = vectors[roles.gallery]
    mated = search(vectors[roles.probes], gallery, roles.mates)
    if roles.is_leave_one_out:
        return mated, mated
    return mated, search(vectors[roles.strangers], gallery, np.full(len(roles.strangers), -1))


# MegaFace (Kemelmacher-Shlizerman et al., "The MegaFace Benchmark", CVPR 2016)


def distractor_counts(distractors: int) -> list[int]:
    """Return the powers of ten below the number of distractors, and that number."""
    powers = [10**power for power in range(1, 10) if 10**power < distractors]
    return [*powers, distractors]


def hardest_distractors(
    embedded: EmbeddedPhotos, distractors: NDArray[np.floating], sizes: Sequence[int], advance: Advance = lambda _: None
) -> Floats:
    """Return the highest similarity of each photo to the first `size` distractors, for each size (sizes, p).

    `distractors` (n, d) may be a memory-mapped file and need not have unit norm. Raises EvaluationInvalid if
    it has another dimension, or if a row is zero or not finite.
    """
    probes = embedded.vectors.astype(np.float32)
    if distractors.ndim != 2 or distractors.shape[1] != probes.shape[1]:
        raise EvaluationInvalid(f"distractors must be of shape (n, {probes.shape[1]}), not {distractors.shape}")
    best, highest = np.full(len(probes), -np.inf, np.float32), np.empty((len(sizes), len(probes)), np.float32)
    bounds = sorted({*range(0, sizes[-1], _BLOCK), *sizes})
    for start, stop in pairwise(bounds):
        raw = np.asarray(distractors[start:stop], np.float32)
        block = score(embedded.scoring, raw, np.linalg.norm(raw, axis=1)).astype(np.float32)
        if not np.isfinite(block).all():
            raise EvaluationInvalid(f"one of the distractors {start} to {stop - 1} is zero or not finite")
        for first in range(0, len(probes), _BLOCK):
            rows = slice(first, first + _BLOCK)
            np.maximum(best[rows], (probes[rows] @ block.T).max(axis=1), out=best[rows])
        if stop in sizes:
            highest[list(sizes).index(stop)] = best
        advance(stop - start)
    return highest


def rank_1_with_distractors(
    embedded: EmbeddedPhotos, hardest: Floats, sizes: Sequence[int], *, replicates: int = REPLICATES
) -> dict[str, Estimate]:
    """Return the rank-1 rate for each number of distractors, over all ordered pairs of photos of one person.

    One photo is the probe; the gallery contains the other photo and the distractors. A pair without two faces counts as
    a miss.
    """
    people, vectors = embedded.people, embedded.vectors.astype(np.float32)
    count = int(people.max()) + 1
    hits, pairs = np.zeros((count, len(sizes))), np.zeros(count)
    for person in range(count):
        own = np.flatnonzero(people == person)
        cosines = vectors[own] @ vectors[own].T
        np.fill_diagonal(cosines, -np.inf)
        pairs[person] = len(own) * (len(own) - 1)
        hits[person] = [_count_above(cosines, threshold[own]) for threshold in hardest]

    def figures(multiplicities: Doubles) -> Figures:
        rates = multiplicities @ hits / ((multiplicities @ pairs) or np.nan)
        return {str(size): float(rate) for size, rate in zip(sizes, rates, strict=True)}

    return estimates(figures, people=count, replicates=replicates)


def _count_above(cosines: Floats, thresholds: Floats) -> int:
    is_above: Bools = cosines > thresholds[:, None]  # False for NaN
    return int(is_above.sum())
