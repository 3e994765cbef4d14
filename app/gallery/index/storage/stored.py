"""Base of all indexes in memory: rows, locks, exact search, snapshots."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.errors import IndexUnusable
from app.gallery.index.storage.block import BLOCK_ROWS, NOBODY, Codes, Halves, widened
from app.gallery.index.storage.codec import Codec
from app.gallery.index.storage.folder_lock import ReadWriteLock
from app.gallery.index.storage.nearest import Nearest
from app.gallery.index.storage.row_buffer import RowBuffer
from app.gallery.index.storage.segments import read_codec
from app.gallery.index.storage.snapshot import SavedBlocks, expect, read_blocks
from app.gallery.index.storage.snapshot_origin import LoadResult, SnapshotOrigin
from app.types import Floats, Keys

# Rows changed under one hold of the lock: about 5 ms, the longest that a search waits for a writer.
_CHANGED_AT_ONCE = 512

# Rows compared at once in exact search: their float32 copy (8 MB at 512-d) stays in the processor's cache.
_COMPARED_AT_ONCE = 4096


class StoredIndex(ABC):
    """See `LocalIndex`. Subclasses define the search of all rows and the codes of blocks."""

    def __init__(
        self, dimension: int, *, dtype: type[np.float16 | np.float32] = np.float16, block_rows: int = BLOCK_ROWS
    ) -> None:
        self._dimension = dimension
        self._dtype = dtype
        self._block_rows = block_rows
        self._lock = ReadWriteLock()
        self._changing = threading.Lock()  # one writer; held for longer than the lock that keeps searches out
        self._saving = threading.Lock()  # no row changes its block while a snapshot is taken block by block
        self._codec: Codec | None = None
        self._rows = self._new_rows()
        self._saved = SavedBlocks(self.kind, dimension)

    @property
    @abstractmethod
    def kind(self) -> str:
        """See `VectorIndex`."""

    @property
    def dimension(self) -> int:
        """See `VectorIndex`."""
        return self._dimension

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        """See `VectorIndex`."""
        halves = vectors.astype(np.float16)
        owners = owners if owners is not None else np.full(len(keys), NOBODY)
        with self._changing:
            for first in range(0, len(keys), _CHANGED_AT_ONCE):
                part = slice(first, first + _CHANGED_AT_ONCE)
                with self._lock.writing():
                    self._put(keys[part], halves[part], owners[part])

    def remove(self, keys: Keys) -> None:
        """See `VectorIndex`."""
        with self._changing:
            for first in range(0, len(keys), _CHANGED_AT_ONCE):
                with self._lock.writing():
                    self._remove(keys[first : first + _CHANGED_AT_ONCE])
            self._compact()

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        """See `VectorIndex`."""
        probes = np.ascontiguousarray(vectors, np.float32)
        with self._lock.reading():
            if among is not None:
                return self._search_among(probes, k, self._rows.filter_present(among))
            found = min(k, len(self._rows))
            if not found or not len(probes):
                return np.empty((len(probes), found), np.float32), np.empty((len(probes), found), np.int64)
            return self._search_all(probes, found)

    def count(self) -> int:
        """See `VectorIndex`."""
        return len(self._rows)

    def keys(self) -> Keys:
        """See `VectorIndex`."""
        with self._lock.reading():
            return self._rows.keys()

    def vectors(self, keys: Keys) -> Floats:
        """See `VectorIndex`."""
        with self._lock.reading():
            return self._rows.vectors(keys)

    def owners(self, keys: Keys) -> Keys:
        """See `VectorIndex`."""
        with self._lock.reading():
            return self._rows.owners(keys)

    def search_people(self, vectors: Floats, k: int) -> list[Keys] | None:  # noqa: ARG002 - for those that know people
        """See `VectorIndex`."""
        return None

    def save(self, folder: Path, origin: SnapshotOrigin, revision: int) -> None:
        """See `LocalIndex`."""
        with self._saving:
            with self._lock.reading():
                blocks, codec = list(self._rows.blocks.values()), self._codec
            self._saved.save(folder, blocks, self._lock, origin=origin, revision=revision, codec=codec)

    def load(self, folder: Path, origin: SnapshotOrigin) -> LoadResult:
        """See `LocalIndex`."""
        manifest = expect(folder, kind=self.kind, dimension=self._dimension, origin=origin)
        if any(segment.rows > self._block_rows for segment in manifest.segments):
            raise IndexUnusable(f"{folder} has segments of more than {self._block_rows} rows")
        if manifest.is_plain and origin.sealer is not None:
            raise IndexUnusable(f"{folder} holds a snapshot in plain, and templates are encrypted now")
        file = manifest.codec
        codec = read_codec(folder, file, self._dimension, origin) if file is not None else None
        with self._changing, self._saving:
            rows = self._new_rows()
            read = read_blocks(folder, manifest.segments, rows.new_block, origin)
            saved = SavedBlocks(self.kind, self._dimension)
            for block, segment in read.blocks:
                saved.know(block, segment)
            rows.adopt([block for block, _ in read.blocks])
            swap = self._prepare(rows, codec)
            with self._lock.writing():
                self._rows, self._codec, self._saved = rows, codec, saved
                swap()
        return LoadResult(manifest.revision, read.lost)

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """See `VectorIndex`."""

    @abstractmethod
    def _search_all(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        """Search with at least one probe and 1 <= k <= count; the lock is held for reading."""

    def _put(self, keys: Keys, vectors: Halves, owners: Keys) -> None:
        """Add some rows; the lock is held for writing."""
        self._rows.put(keys, vectors, owners)

    def _remove(self, keys: Keys) -> None:
        """Remove some rows; the lock is held for writing."""
        self._rows.remove(keys)

    def _prepare(self, rows: RowBuffer, codec: Codec | None) -> Callable[[], None]:  # noqa: ARG002
        """Derive whatever belongs to new rows, and return the function that puts it in place together with them."""
        return lambda: None

    def _compact_more(self) -> None:  # noqa: B027 - most have nothing else
        """Compact what belongs to the rows."""

    def _new_codes(self) -> Codes | None:
        """Return the codes of an empty block, if this kind has any."""
        return None

    def _scan(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        """Compare probes with all rows, exactly."""
        nearest = Nearest(len(probes), k)
        for block in self._rows.blocks.values():
            for first in range(0, block.count, _COMPARED_AT_ONCE):
                rows = slice(first, min(first + _COMPARED_AT_ONCE, block.count))
                nearest.offer(probes @ widened(block.vectors[rows]).T, block.keys[rows])
        return nearest.best()

    def _search_among(self, probes: Floats, k: int, keys: Keys) -> tuple[Floats, Keys]:
        nearest = Nearest(len(probes), min(k, len(keys)))
        for first in range(0, len(keys), _COMPARED_AT_ONCE):
            part = keys[first : first + _COMPARED_AT_ONCE]
            nearest.offer(probes @ self._rows.vectors(part).T, part)
        return nearest.best()

    def _new_rows(self) -> RowBuffer:
        return RowBuffer(
            self._dimension,
            dtype=self._dtype,
            block_rows=self._block_rows,
            new_codes=self._new_codes,
        )

    def _compact(self) -> None:
        """Empty the blocks that deletions have left sparse, unless a snapshot is being saved."""
        if not self._saving.acquire(blocking=False):
            return
        try:
            while (number := self._rows.thin_block()) is not None:
                with self._lock.writing():
                    self._rows.empty_some(number, _CHANGED_AT_ONCE)
            self._compact_more()
        finally:
            self._saving.release()
