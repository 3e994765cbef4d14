"""Every pair of a folder, block by block: memory does not grow with the number of pairs. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.evaluation.values import Bools, Doubles, Ints
from app.types import Floats

BINS = 20_000  # of [-1, 1]; thresholds are the bins' lower edges
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces that were found: unit `vectors` (n, d), the number of each one's person (n,) and `quality` (n,)."""

    vectors: Floats
    people: Ints
    quality: Floats


@dataclass(frozen=True, slots=True)
class Genuine:
    """Pairs (n,) of one person: the places of the poorer and the better face, and their cosines."""

    poorer: Ints
    better: Ints
    cosines: Floats


@dataclass(frozen=True, slots=True)
class Block:
    """Cosines (r, c) of faces at `rows` (r,) and `columns` (c,); `is_new` (r, c) is true once for every two faces."""

    rows: Ints
    columns: Ints
    cosines: Floats
    is_new: Bools


def edges() -> Doubles:
    """Return the bins' lower edges (BINS,)."""
    return np.arange(BINS, dtype=np.float64) * (2 / BINS) - 1


def binned(cosines: Floats) -> Ints:
    """Return the bins of cosines."""
    return np.clip(((cosines.astype(np.float64) + 1) * (BINS / 2)).astype(np.intp), 0, BINS - 1)


def genuine_blocks(faces: Faces) -> Iterator[Genuine]:
    """Yield every pair of one person's faces once."""
    order = np.lexsort((faces.quality, faces.people))
    for group in np.split(order, np.flatnonzero(np.diff(faces.people[order])) + 1):
        for start in range(0, len(group), _BLOCK):
            rows = group[start : start + _BLOCK]
            cosines = faces.vectors[rows] @ faces.vectors[group].T
            one, two = np.nonzero(np.arange(len(group)) > start + np.arange(len(rows))[:, None])
            yield Genuine(rows[one], group[two], cosines[one, two])


def blocks(faces: Faces) -> Iterator[Block]:
    """Yield all comparisons."""
    places, vectors = np.arange(len(faces.vectors)), faces.vectors
    for start in range(0, len(places), _BLOCK):
        for other in range(start, len(places), _BLOCK):
            rows, columns = places[start : start + _BLOCK], places[other : other + _BLOCK]
            yield Block(rows, columns, vectors[rows] @ vectors[columns].T, rows[:, None] < columns)
