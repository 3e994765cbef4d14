"""Synthetic people for benchmarks/scale.py, and the measurements that all its indexes get. Needs NumPy only.

Five templates per identity, at cosine 0.6 to each other. Impostors have the distribution of ArcFace-type embeddings
(standard deviation of their cosine 0.059 at 512-d, 0.107 at 128-d). Probes are further images of enrolled people, at
cosine 0.6 to their templates, and hard ones at 0.4.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Keys = NDArray[np.int64]

IMAGES = 5
MATED, HARD = 0.6, 0.4
SPREAD = {128: 0.107, 512: 0.059}
PROBES = 400
_IDENTITIES_AT_ONCE = 10_000
_CHURN_ROUNDS, _CHURNED = 10, 0.1


class Faces:
    """Templates and `probes` probes of synthetic people, with a fixed seed; key // 5 is the person."""

    def __init__(self, dimension: int, rows: int, *, probes: int = PROBES) -> None:
        self.dimension = dimension
        self._probes = probes
        self.identities = rows // IMAGES
        exponent = _exponent(dimension, SPREAD[dimension])
        variances = np.arange(1, dimension + 1) ** -exponent
        rotation = np.linalg.qr(np.random.default_rng(9).normal(size=(dimension, dimension)))[0]
        self._shape = np.asarray(np.sqrt(variances / variances.sum())[:, None] * rotation, np.float32)

    def blocks(self) -> Iterator[tuple[Keys, Floats]]:
        """Yield all templates: keys (n,) and unit vectors (n, d), all five of a person together."""
        for first in range(0, self.identities, _IDENTITIES_AT_ONCE):
            people = min(_IDENTITIES_AT_ONCE, self.identities - first)
            centres, rng = self._centres(first, people)
            own = rng.standard_normal((people * IMAGES, self.dimension), np.float32)
            mixed = np.float32(np.sqrt(MATED)) * np.repeat(centres, IMAGES, 0) + np.float32(np.sqrt(1 - MATED)) * own
            yield np.arange(first * IMAGES, (first + people) * IMAGES), self._units(mixed)

    def probes(self, cosine: float) -> tuple[Keys, Floats]:
        """Return people (n,) from all over the gallery and one probe (n, d) of each."""
        starts = range(0, self.identities, _IDENTITIES_AT_ONCE)
        each = -(-self._probes // len(starts))
        people = np.concatenate([np.arange(first, min(first + each, self.identities)) for first in starts])
        centres = np.concatenate([self._centres(first, min(each, self.identities - first))[0] for first in starts])
        share = np.float32(cosine / np.sqrt(MATED))
        own = np.random.default_rng(7).standard_normal(centres.shape, np.float32)
        order = np.random.default_rng(8).permutation(len(people))[: self._probes]
        return people[order], self._units((share * centres + np.sqrt(1 - share**2) * own)[order])

    def _centres(self, first: int, people: int) -> tuple[Floats, np.random.Generator]:
        rng = np.random.default_rng([1, first])
        return rng.standard_normal((people, self.dimension), np.float32), rng

    def _units(self, raw: Floats) -> Floats:
        vectors = raw @ self._shape
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class Searched(Protocol):
    """An index under measurement."""

    def add(self, keys: Keys, vectors: Floats) -> None:
        """Add templates (n, d)."""

    def remove(self, keys: Keys) -> None:
        """Remove templates."""

    def search(self, vectors: Floats) -> Keys:
        """Return a template (n,) of the person that is nearest to each probe (n, d)."""


def measured(faces: Faces, index: Searched, *, threads: int, churn: bool) -> dict[str, object]:
    """Return the times of searches and the people (n,) found, and those found after ten rounds of churn.

    `alone_ms` is the median of one search after the other. `cpu_ms` is the CPU time of this process for one.
    `together_ms` is the time for each of many probes by `threads` clients at once.
    """
    _, normal = faces.probes(MATED)
    _, hard = faces.probes(HARD)
    one_by_one = [hard[at : at + 1] for at in range(len(hard))]
    index.search(hard[:2])
    started, alone = time.process_time(), [_seconds(partial(index.search, probe)) for probe in one_by_one]
    cpu = time.process_time() - started
    with ThreadPoolExecutor(threads) as clients:
        together = _seconds(lambda: list(clients.map(index.search, one_by_one)))
    figures: dict[str, object] = {
        "alone_ms": statistics.median(alone) * 1e3,
        "cpu_ms": cpu / len(hard) * 1e3,
        "together_ms": together / len(hard) * 1e3,
        "normal": (index.search(normal) // IMAGES).tolist(),
        "hard": (index.search(hard) // IMAGES).tolist(),
    }
    if churn:
        _churn(faces, index)
        figures["churned"] = (index.search(hard) // IMAGES).tolist()
    return figures


def share(found: Sequence[int], truth: Keys, among: NDArray[np.bool_] | None = None) -> float:
    """Return the share of probes (n,) whose person was found, of all or `among` some."""
    right = np.array(found) == truth
    return float(right.mean() if among is None else right[among].mean())


def _churn(faces: Faces, index: Searched) -> None:
    """Remove a tenth of the people and add them again, ten times: afterwards, the answers should be the same."""
    rng = np.random.default_rng(3)
    for _ in range(_CHURN_ROUNDS):
        for keys, vectors in faces.blocks():
            people = np.unique(keys // IMAGES)
            gone = np.isin(keys // IMAGES, rng.choice(people, int(len(people) * _CHURNED), replace=False))
            index.remove(keys[gone])
            index.add(keys[gone], vectors[gone])


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _exponent(dimension: int, spread: float) -> float:
    """Return the power law whose random unit vectors have cosines of this standard deviation."""
    low, high = 0.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        variances = np.arange(1, dimension + 1) ** -middle
        wide = np.sqrt((variances**2).sum()) / variances.sum() > spread
        low, high = (low, middle) if wide else (middle, high)
    return low
