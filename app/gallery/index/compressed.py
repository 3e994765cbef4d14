"""Two-stage search: scan short codes, then compare the best candidates exactly. A twentieth of exact search's time.

Decision and measurements: docs/adr/0008-compressed-index.md.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from app.gallery.index.rescoring import search_twice
from app.gallery.index.storage.block import BLOCK_ROWS, Codes, VectorBlock, widened
from app.gallery.index.storage.codec import TRAINING_ROWS, Codec, groups_of
from app.gallery.index.storage.codes import BlockCodes
from app.gallery.index.storage.snapshot_origin import LoadResult, SnapshotOrigin
from app.gallery.index.storage.stored import StoredIndex
from app.types import Floats, IndexKind, Keys

# Vectors compared exactly for each probe. Measured on a million templates: 1,000 candidates include the best mate at
# cosine 0.4 in more than 99 % of searches, and at 0.6 in all.
CANDIDATES = 1024

# Candidates per block at least: 2,400 in total among ten million templates.
_LEAST_OF_BLOCK = 16

# With fewer rows per candidate, or with more candidates, comparing all rows is as fast, and exact.
_WORTH_IT = 8
_MOST_CANDIDATES = 16_384

# Threads of one search at most, each with its own blocks and one OpenMP thread.
_MOST_THREADS = 8


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

    @property
    def kind(self) -> str:
        """See `VectorIndex`."""
        return IndexKind.COMPRESSED

    def train(self, vectors: Floats) -> None:
        """Train codes on representative vectors (n, d), at least 16, and encode the existing rows."""
        codec = Codec.train(vectors.astype(np.float32), self._groups)
        with self._changing, self._saving:
            rows = self._rows
            encoded = [(block, _encoded(block, codec)) for block in rows.blocks.values()]
            with self._lock.writing():
                self._codec = codec
                rows.new_codes = lambda: BlockCodes(codec)
                for block, codes in encoded:
                    block.codes = codes
                    block.version += 1

    def load(self, folder: Path, origin: SnapshotOrigin) -> LoadResult:
        """See `LocalIndex`. A damaged codec is trained again on the vectors."""
        restored = super().load(folder, origin)
        if self._codec is None and self.count() > _WORTH_IT * self._candidates:
            self.train(self.vectors(sampled(self.keys())))
        return restored

    def _new_codes(self, codec: Codec | None) -> Codes | None:
        return BlockCodes(codec) if codec is not None else None

    def _search_all(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        wanted = max(self._candidates, 4 * k)
        if wanted * _WORTH_IT >= len(self._rows) or wanted > _MOST_CANDIDATES:
            return self._scan(probes, k)
        return self._search_twice(probes, k, wanted)

    def _search_twice(self, probes: Floats, k: int, wanted: int) -> tuple[Floats, Keys]:
        if self._codec is None:
            return self._scan(probes, k)
        total, blocks = len(self._rows), list(self._rows.blocks.values())

        def share(block: VectorBlock) -> int:
            return min(block.count, max(_LEAST_OF_BLOCK, -(-wanted * block.count // total)))

        prepared = self._codec.rotate(probes)
        found = search_twice(blocks, probes, prepared, k, share=share, pool=self._pool, threads=self._threads)
        return found if found is not None else self._scan(probes, k)


def _cores() -> int:
    """Return the number of cores that this process may use; on macOS, of all cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sampled(keys: Keys) -> Keys:
    """Return the keys of the rows that a codec is trained on, the same ones each time."""
    if len(keys) <= TRAINING_ROWS:
        return keys
    chosen: Keys = np.random.default_rng(0).choice(keys, TRAINING_ROWS, replace=False)
    return chosen


def _encoded(block: VectorBlock, codec: Codec) -> BlockCodes:
    codes = BlockCodes(codec)
    for first in range(0, block.count, 4096):
        codes.append(widened(block.vectors[first : min(first + 4096, block.count)]))
    return codes
