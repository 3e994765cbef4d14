"""Comparison of all pairs in blocks, so that memory does not grow with the number of pairs. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.evaluation.values import Bools, Doubles, Ints
from app.types import Floats

BINS = 20_000  # over [-1, 1]; the thresholds are the lower edges
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class FaceSet:
    """The faces of a folder: unit `vectors` (n, d), person numbers `people` (n,) and `quality` (n,)."""

    vectors: Floats
    people: Ints
    quality: Floats


@dataclass(frozen=True, slots=True)
class GenuinePairs:
    """Pairs (n,) of one person: indices of the face with the lower and the higher quality, and their cosines."""

    poorer: Ints
    better: Ints
    cosines: Floats


@dataclass(frozen=True, slots=True)
class SimilarityBlock:
    """Cosines (r, c) of the faces `rows` (r,) and `columns` (c,); over all blocks, `is_new` marks each pair once."""

    rows: Ints
    columns: Ints
    cosines: Floats
    is_new: Bools


def bin_edges() -> Doubles:
    """Return the lower edges of the bins (BINS,)."""
    return np.arange(BINS, dtype=np.float64) * (2 / BINS) - 1


def bin_indices(cosines: Floats) -> Ints:
    """Return the bin index of each cosine."""
    return np.clip(((cosines.astype(np.float64) + 1) * (BINS / 2)).astype(np.intp), 0, BINS - 1)


def genuine_blocks(faces: FaceSet) -> Iterator[GenuinePairs]:
    """Yield each pair of faces of one person once."""
    order = np.lexsort((faces.quality, faces.people))
    for group in np.split(order, np.flatnonzero(np.diff(faces.people[order])) + 1):
        for start in range(0, len(group), _BLOCK):
            rows = group[start : start + _BLOCK]
            cosines = faces.vectors[rows] @ faces.vectors[group].T
            lower, higher = np.nonzero(np.arange(len(group)) > start + np.arange(len(rows))[:, None])
            yield GenuinePairs(rows[lower], group[higher], cosines[lower, higher])


def blocks(faces: FaceSet) -> Iterator[SimilarityBlock]:
    """Yield the comparisons of all pairs of faces."""
    indices, vectors = np.arange(len(faces.vectors)), faces.vectors
    for start in range(0, len(indices), _BLOCK):
        for other in range(start, len(indices), _BLOCK):
            rows, columns = indices[start : start + _BLOCK], indices[other : other + _BLOCK]
            yield SimilarityBlock(rows, columns, vectors[rows] @ vectors[columns].T, rows[:, None] < columns)
