"""1:N: searches in a gallery, blockwise; ranks, open-set error rates, and MegaFace's distractors. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.errors import EvaluationInvalid
from app.evaluation.bootstrap import REPLICATES, Estimate, Figures, estimates
from app.evaluation.curves import FARS, Comparisons, Curve, label, tar_at
from app.evaluation.values import Advance, Bools, Doubles, Embedded, Ints, unit
from app.evaluation.verification import failure_rate_of
from app.types import Floats

RANKS = (1, 2, 5, 10, 20, 50)
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Split:
    """Places of photos: `gallery` (g,), `probes` (p,) with their `mates` (p,) in the gallery, `strangers` (s,)."""

    gallery: Ints
    probes: Ints
    mates: Ints
    strangers: Ints


@dataclass(frozen=True, slots=True)
class Searched:
    """For each probe the similarity of its mate (-inf without one) and of the best other person, and whose it is."""

    mate: Doubles
    other: Doubles
    other_place: Ints
    rank: Ints


@dataclass(frozen=True, slots=True)
class Identified:
    """What the searches gave; `curve` has 1 - FNIR as its `tar` and FPIR as its `far`.

    `non_mated` (s,) are the highest similarities of searches that should find nobody, NaN where no face was found.
    """

    split: Split
    mated: Searched
    non_mated: Doubles
    non_mated_place: Ints
    curve: Curve
    estimates: dict[str, Estimate]
    is_leave_one_out: bool


def split(people: Ints) -> Split:
    """Enroll the first photo of everyone with several, search with their others; who has one photo is a stranger."""
    order = np.argsort(people, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(people[order])) + 1)
    several = [group for group in groups if len(group) > 1]
    if not several:
        raise EvaluationInvalid("identification needs people with two photos or more")
    return Split(
        np.array([group[0] for group in several]),
        np.concatenate([group[1:] for group in several]),
        np.repeat(np.arange(len(several)), [len(group) - 1 for group in several]),
        np.array([group[0] for group in groups if len(group) == 1], np.intp),
    )


def search(probes: Floats, gallery: Floats, mates: Ints, advance: Advance = lambda _: None) -> Searched:
    """Search unit vectors (p, d) in (g, d); `mates` (p,) is -1 for a stranger; a NaN vector finds and is nobody.

    The rank of a mate is 1 + the number of others at least as similar: a tie is no hit.
    """
    mate, other = np.full(len(probes), -np.inf), np.full(len(probes), -np.inf)
    other_place, rank = np.zeros(len(probes), np.intp), np.full(len(probes), len(gallery) + 1)
    for start in range(0, len(probes), _BLOCK):
        block = slice(start, start + _BLOCK)
        cosines = probes[block] @ gallery.T
        cosines[np.isnan(cosines)] = -np.inf
        rows, mine = np.arange(len(cosines)), mates[block]
        mate[block] = np.where(mine >= 0, cosines[rows, mine], -np.inf)
        cosines[rows[mine >= 0], mine[mine >= 0]] = -np.inf
        other_place[block] = cosines.argmax(axis=1)
        other[block] = cosines[rows, other_place[block]]
        is_comparable = np.isfinite(mate[block])
        rank[block] = np.where(is_comparable, 1 + (cosines >= mate[block][:, None]).sum(axis=1), len(gallery) + 1)
        advance(len(cosines))
    return Searched(mate, other, other_place, rank)


def identify(embedded: Embedded, *, replicates: int = REPLICATES, advance: Advance = lambda _: None) -> Identified:
    """Evaluate a folder of people, closed and open set.

    Where nobody has a single photo, the open set's searches are the probes' without their mates.
    """
    people = embedded.people
    roles = split(people)
    vectors = unit(embedded.embeddings).astype(np.float32)
    gallery = vectors[roles.gallery]
    mated = search(vectors[roles.probes], gallery, roles.mates)
    is_leave_one_out = not roles.strangers.size
    if is_leave_one_out:
        non_mated, non_mated_place, of = mated.other, mated.other_place, roles.probes
    else:
        found = search(vectors[roles.strangers], gallery, np.full(len(roles.strangers), -1))
        non_mated, non_mated_place, of = found.other, found.other_place, roles.strangers
    is_made = np.isfinite(non_mated)  # a search that could not be made proves nothing
    comparisons = Comparisons(np.where(mated.rank == 1, mated.mate, -np.inf), non_mated[is_made])
    failure_rate = failure_rate_of(embedded)

    def curve_of(drawn: Doubles) -> Curve:
        return comparisons.curve(drawn[people[roles.probes]], drawn[people[of[is_made]]])

    def figures(drawn: Doubles) -> Figures:
        weights, curve = drawn[people[roles.probes]], curve_of(drawn)
        total = weights.sum() or np.nan
        return (
            {f"rank@{k}": float(weights[mated.rank <= k].sum() / total) for k in RANKS if k <= len(gallery)}
            | {f"fnir@{label(fpir)}": 1 - tar_at(curve, fpir) for fpir in FARS}
            | {"failures_to_enroll_rate": failure_rate(drawn)}
        )

    count = int(people.max()) + 1
    found_figures = estimates(figures, people=count, replicates=replicates, advance=advance)
    non_mated = np.where(is_made, non_mated, np.nan)
    return Identified(
        roles, mated, non_mated, non_mated_place, curve_of(np.ones(count)), found_figures, is_leave_one_out
    )


# MegaFace (Kemelmacher-Shlizerman et al., "The MegaFace Benchmark", CVPR 2016)


def sizes_of(distractors: int) -> list[int]:
    """Return 10, 100, ... up to the number of distractors, and that number."""
    powers = [10**power for power in range(1, 10) if 10**power < distractors]
    return [*powers, distractors]


def hardest_distractors(
    embedded: Embedded, distractors: NDArray[np.floating], sizes: Sequence[int], advance: Advance = lambda _: None
) -> Floats:
    """Return for each size the highest similarity of each photo to the first so many distractors (sizes, p).

    `distractors` (n, d) may be a memory-mapped file and need not be of length 1. Raises EvaluationInvalid.
    """
    probes = unit(embedded.embeddings).astype(np.float32)
    if distractors.ndim != 2 or distractors.shape[1] != probes.shape[1]:
        raise EvaluationInvalid(f"distractors must be of shape (n, {probes.shape[1]}), not {distractors.shape}")
    best, found = np.full(len(probes), -np.inf, np.float32), np.empty((len(sizes), len(probes)), np.float32)
    bounds = sorted({*range(0, sizes[-1], _BLOCK), *sizes})
    for start, stop in pairwise(bounds):
        block = unit(np.asarray(distractors[start:stop], np.float32)).astype(np.float32)
        if not np.isfinite(block).all():
            raise EvaluationInvalid(f"one of the distractors {start} to {stop - 1} is zero or not finite")
        for first in range(0, len(probes), _BLOCK):
            rows = slice(first, first + _BLOCK)
            np.maximum(best[rows], (probes[rows] @ block.T).max(axis=1), out=best[rows])
        if stop in sizes:
            found[list(sizes).index(stop)] = best
        advance(stop - start)
    return found


def rank_1_among(
    embedded: Embedded, hardest: Floats, sizes: Sequence[int], *, replicates: int = REPLICATES
) -> dict[str, Estimate]:
    """Return the rank-1 rate for each number of distractors, over all ordered pairs of one person's photos.

    One photo is the probe, the other alone with the distractors in the gallery. A pair without a face is a miss.
    """
    people, vectors = embedded.people, unit(embedded.embeddings).astype(np.float32)
    count = int(people.max()) + 1
    hits, pairs = np.zeros((count, len(sizes))), np.zeros(count)
    for person in range(count):
        mine = np.flatnonzero(people == person)
        cosines = vectors[mine] @ vectors[mine].T
        np.fill_diagonal(cosines, -np.inf)
        pairs[person] = len(mine) * (len(mine) - 1)
        hits[person] = [_exceeding(cosines, bar[mine]) for bar in hardest]

    def figures(drawn: Doubles) -> Figures:
        rates = drawn @ hits / ((drawn @ pairs) or np.nan)
        return {str(size): float(rate) for size, rate in zip(sizes, rates, strict=True)}

    return estimates(figures, people=count, replicates=replicates)


def _exceeding(cosines: Floats, bars: Floats) -> int:
    is_above: Bools = cosines > bars[:, None]  # NaN exceeds nothing
    return int(is_above.sum())
