"""Recall of an index against exact search, on the operator's own vectors. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gallery.index.protocol import VectorIndex
from app.gallery.index.storage.nearest import Nearest
from app.types import Floats, Keys

_DEPTH = 10

_ROWS_AT_ONCE = 65_536

# Similarities of one pair computed in two orders of summing differ by less.
_ROUNDING = 1e-5

# Best similarities within this of the threshold are near it: where a search that loses something changes decisions.
_NEAR = 0.05


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall as shares in 0..1 of the probes; without probes 1."""

    probes: int
    at_1: float
    """Share of probes with the same best result as exact search."""
    at_10: float
    """Share of exact search's ten best that were among the ten best."""
    near_threshold: float
    """As `at_1`, over the probes whose exact best similarity is within 0.05 of the threshold."""
    near_probes: int
    decisions: float
    """Share of probes with the same decision: the best similarity reaches the threshold in both searches or in
    neither."""


def measure(index: VectorIndex, probes: Floats, *, threshold: float) -> Recall:
    """Compare searches for probes (n, d) with exact search over the index's own vectors; the index must not change."""
    if not len(probes) or not index.count():
        return Recall(len(probes), 1.0, 1.0, 1.0, 0, 1.0)
    truth, _ = exact(index, probes, _DEPTH)
    found, _ = index.search(probes, _DEPTH)
    # Held against each other by similarity, not by key: twins in the gallery may come in any order.
    is_first = found[:, 0] >= truth[:, 0] - _ROUNDING
    among_best = (found >= truth[:, -1:] - _ROUNDING).mean(axis=1)
    is_near = np.abs(truth[:, 0] - threshold) <= _NEAR
    is_same = (found[:, 0] >= threshold) == (truth[:, 0] >= threshold)
    is_at_rounding = np.abs(truth[:, 0] - threshold) <= _ROUNDING
    return Recall(
        probes=len(probes),
        at_1=float(is_first.mean()),
        at_10=float(among_best.mean()),
        near_threshold=_share(is_first[is_near]),
        near_probes=int(is_near.sum()),
        decisions=float((is_same | (is_first & is_at_rounding)).mean()),
    )


def exact(index: VectorIndex, probes: Floats, k: int) -> tuple[Floats, Keys]:
    """Search by comparing probes (n, d) with every stored vector in NumPy; see `VectorIndex.search`."""
    keys = index.keys()
    nearest = Nearest(len(probes), min(k, len(keys)))
    for first in range(0, len(keys), _ROWS_AT_ONCE):
        part = keys[first : first + _ROWS_AT_ONCE]
        nearest.offer(probes @ index.vectors(part).T, part)
    return nearest.best()


def probes_of(vectors: Floats, cosine: float, *, seed: int = 0) -> Floats:
    """Return for each stored vector (n, d) a probe at exactly this cosine to it.

    The difference is a random mixture of the stored vectors, and so lies in directions in which faces differ.
    """
    rng = np.random.default_rng(seed)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)  # float16 leaves them a little off
    mixture = rng.standard_normal((len(vectors), len(vectors)), np.float32) @ vectors
    # A few vectors span no space to differ in: a little of every direction.
    mixture += np.float32(1e-3) * rng.standard_normal(vectors.shape, np.float32)
    mixture -= (mixture * vectors).sum(axis=1, keepdims=True) * vectors
    mixture /= np.linalg.norm(mixture, axis=1, keepdims=True)
    probes = np.float32(cosine) * vectors + np.float32(np.sqrt(1 - cosine**2)) * mixture
    return np.asarray(probes / np.linalg.norm(probes, axis=1, keepdims=True), np.float32)


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if len(found) else 1.0
