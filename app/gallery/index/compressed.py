"""Two-stage search: scan the short codes of people, then compare the templates of the best exactly.

Decisions and measurements: docs/adr/0008-compressed-index.md, docs/adr/0021-search-by-people.md.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from app.gallery.index.people import PeopleCodes
from app.gallery.index.storage.block import BLOCK_ROWS, Halves
from app.gallery.index.storage.codec import TRAINING_ROWS, Codec, groups_of
from app.gallery.index.storage.nearest import Nearest
from app.gallery.index.storage.row_buffer import RowBuffer
from app.gallery.index.storage.snapshot_origin import LoadResult, SnapshotOrigin
from app.gallery.index.storage.stored import StoredIndex
from app.types import Floats, IndexKind, Keys

# Representatives whose templates are compared exactly, for each probe.
CANDIDATES = 64

# With fewer representatives per candidate, or with more candidates, comparing all rows is as fast, and exact.
_WORTH_IT = 8
_MOST_CANDIDATES = 16_384

# Threads of one search at most, each with its own blocks and one OpenMP thread.
_MOST_THREADS = 8

# Probes scanned together, which limits the memory of their candidates.
_PROBES_AT_ONCE = 16


class CompressedIndex(StoredIndex):
    """See `LocalIndex`. Before `train`, it compares all rows exactly."""

    def __init__(
        self,
        dimension: int,
        *,
        candidates: int = CANDIDATES,
        groups: int | None = None,
        threads: int | None = None,
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        self._candidates = candidates
        self._groups = groups or groups_of(dimension)
        self._threads = threads or min(_cores(), _MOST_THREADS)
        self._pool = ThreadPoolExecutor(self._threads, "arcid-search")  # starts threads when they are needed
        super().__init__(dimension, block_rows=block_rows)
        self._people = PeopleCodes(self._rows, None)

    @property
    def kind(self) -> str:
        """See `VectorIndex`."""
        return IndexKind.COMPRESSED

    def train(self, vectors: Floats) -> None:
        """Train codes on representative vectors (n, d), at least 16, and encode the existing people."""
        codec = Codec.train(vectors.astype(np.float32), self._groups)
        with self._changing, self._saving:
            swap = self._prepare(self._rows, codec)
            with self._lock.writing():
                self._codec = codec
                swap()

    def load(self, folder: Path, origin: SnapshotOrigin) -> LoadResult:
        """See `LocalIndex`. A damaged codec is trained again on the vectors."""
        restored = super().load(folder, origin)
        if self._codec is None and self.count() > _WORTH_IT * self._candidates:
            self.train(self.vectors(sampled(self.keys())))
        return restored

    def search_people(self, vectors: Floats, k: int) -> list[Keys] | None:
        """See `VectorIndex`."""
        probes = np.ascontiguousarray(vectors, np.float32)
        with self._lock.reading():
            near = self._near(probes, self._wanted(k))
            return None if near is None else [self._people.best(*each, k) for each in zip(probes, near, strict=True)]

    def _put(self, keys: Keys, vectors: Halves, owners: Keys) -> None:
        self._people.put(keys, vectors, owners)

    def _remove(self, keys: Keys) -> None:
        self._people.remove(keys)

    def _prepare(self, rows: RowBuffer, codec: Codec | None) -> Callable[[], None]:
        people = PeopleCodes.of(rows, codec, threads=self._threads)

        def swap() -> None:
            self._people = people

        return swap

    def _search_all(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        return self._search_twice(probes, k, self._wanted(k))

    def _wanted(self, k: int) -> int | None:
        """Return the number of candidates for k results; None if comparing all rows is as fast."""
        wanted = max(self._candidates, 4 * k)
        is_worth_it = wanted <= _MOST_CANDIDATES and wanted * _WORTH_IT < len(self._people.codes)
        return wanted if is_worth_it else None

    def _search_twice(self, probes: Floats, k: int, wanted: int | None) -> tuple[Floats, Keys]:
        near = self._near(probes, wanted)
        if near is None:
            return self._scan(probes, k)
        found = []
        for probe, representatives in zip(probes, near, strict=True):
            keys = self._people.templates_of(representatives)
            if len(keys) < k:
                return self._scan(probes, k)
            nearest = Nearest(1, k)
            nearest.offer((self._rows.vectors(keys) @ probe)[None], keys)
            found.append(nearest.best())
        return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])

    def _near(self, probes: Floats, wanted: int | None) -> Keys | None:
        """Return the representatives (n, wanted) nearest to probes; None if all rows must be compared."""
        if wanted is None:
            return None
        near = []
        for first in range(0, len(probes), _PROBES_AT_ONCE):
            part = probes[first : first + _PROBES_AT_ONCE]
            found = self._people.near(part, wanted, pool=self._pool, threads=self._threads)
            if found is None:
                return None
            near.append(found)
        return np.concatenate(near) if near else np.empty((0, wanted), np.int64)

    def _compact_more(self) -> None:
        while self._people.has_sparse_block():
            with self._lock.writing():
                self._people.compact()


def _cores() -> int:
    """Return the number of cores that this process may use; on macOS, of all cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sampled(keys: Keys) -> Keys:
    """Return the keys of the rows that a codec is trained on, the same ones each time."""
    if len(keys) <= TRAINING_ROWS:
        return keys
    chosen: Keys = np.random.default_rng(0).choice(keys, TRAINING_ROWS, replace=False)
    return chosen
