"""The default index: exact while small, then compressed. The change runs in the background."""

import threading
from pathlib import Path

import numpy as np

from app.errors import IndexUnusable
from app.gallery.index.compressed import CompressedIndex, sampled
from app.gallery.index.flat import FlatIndex
from app.gallery.index.journal import Journal
from app.gallery.index.storage.block import BLOCK_ROWS
from app.gallery.index.storage.codec import LEAST_TRAINING_ROWS
from app.gallery.index.storage.snapshot_manifest import read_manifest
from app.gallery.index.storage.snapshot_origin import LoadResult, SnapshotOrigin
from app.gallery.index.storage.stored import StoredIndex
from app.observability.logs import get_logger
from app.types import Floats, IndexKind, Keys

_log = get_logger(__name__)

# With more templates, the search of people takes less processor time than exact search (benchmarks/scale.py). The cost
# of exact search is rows x dimension, so the limit is lower for longer templates.
_EXACT_NUMBERS = 50_000 * 128

# Rows copied at once during building, which limits how long a writer waits.
_COPIED_AT_ONCE = 8192

# Changes that may be left for the swap, during which writers wait.
_LAST_CHANGES = 1000

# After this many rounds of catching up, writers wait however many changes are left: changes arrive faster than they are
# applied.
_CATCHING_UP = 10

_KINDS: dict[str, type[FlatIndex | CompressedIndex]] = {
    IndexKind.EXACT: FlatIndex,
    IndexKind.COMPRESSED: CompressedIndex,
}


def most_exact(dimension: int) -> int:
    """Return the number of templates up to which the index stays exact."""
    return _EXACT_NUMBERS // dimension


class GrowingIndex:
    """See `LocalIndex`. Call `close` at the end, which stops building."""

    def __init__(self, dimension: int, *, limit: int | None = None, block_rows: int = BLOCK_ROWS) -> None:
        self._dimension = dimension
        self._block_rows = block_rows
        self._limit = limit if limit is not None else most_exact(dimension)
        self._current: StoredIndex = FlatIndex(dimension, block_rows=block_rows)
        self._changing = threading.Lock()
        self._saving = threading.Lock()  # taken before `_changing`
        self._journal: Journal | None = None  # during building: the changes that the new index lacks
        self._builder: threading.Thread | None = None
        self._is_closed = False

    @property
    def kind(self) -> str:
        """See `VectorIndex`."""
        return self._current.kind

    @property
    def dimension(self) -> int:
        """See `VectorIndex`."""
        return self._dimension

    @property
    def is_building(self) -> bool:
        """Whether another kind is being built in the background."""
        return self._journal is not None

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        """See `VectorIndex`."""
        with self._changing:
            self._current.add(keys, vectors, owners=owners)
            if self._journal is not None:
                self._journal.add(keys, vectors, owners)
            self._grow()

    def remove(self, keys: Keys) -> None:
        """See `VectorIndex`."""
        with self._changing:
            self._current.remove(keys)
            if self._journal is not None:
                self._journal.remove(keys)

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        """See `VectorIndex`."""
        return self._current.search(vectors, k, among=among)

    def search_people(self, vectors: Floats, k: int) -> list[Keys] | None:
        """See `VectorIndex`."""
        return self._current.search_people(vectors, k)

    def count(self) -> int:
        """See `VectorIndex`."""
        return self._current.count()

    def keys(self) -> Keys:
        """See `VectorIndex`."""
        return self._current.keys()

    def vectors(self, keys: Keys) -> Floats:
        """See `VectorIndex`."""
        return self._current.vectors(keys)

    def owners(self, keys: Keys) -> Keys | None:
        """See `VectorIndex`."""
        return self._current.owners(keys)

    def save(self, folder: Path, origin: SnapshotOrigin, revision: int) -> None:
        """See `LocalIndex`."""
        with self._saving:  # else a removal after the swap would not reach the index that is being saved
            self._current.save(folder, origin, revision)

    def load(self, folder: Path, origin: SnapshotOrigin) -> LoadResult:
        """See `LocalIndex`. The kind becomes that of the snapshot."""
        kind = read_manifest(folder).kind
        if kind not in _KINDS:
            raise IndexUnusable(f"{folder} holds an index of kind {kind!r}, not of {sorted(_KINDS)}")
        loaded = _KINDS[kind](self._dimension, block_rows=self._block_rows)
        restored = loaded.load(folder, origin)
        with self._changing:
            self._current, self._journal = loaded, None
            _log.info("index.chosen", kind=loaded.kind, rows=loaded.count())
            self._grow()
        return restored

    def close(self) -> None:
        """Stop building permanently; the index stays usable."""
        with self._changing:
            self._is_closed, self._journal = True, None
        if self._builder is not None:
            self._builder.join()

    def _grow(self) -> None:
        """Start building the next kind if the index is large enough. The caller holds the changing lock."""
        rows = self._current.count()
        if self._is_closed or self._journal is not None or rows <= self._limit or self._current.kind != IndexKind.EXACT:
            return
        self._journal = Journal()
        _log.info("index.building", kind=IndexKind.COMPRESSED.value, rows=rows)
        self._builder = threading.Thread(
            target=self._build, args=(self._current, self._journal), name="arcid-index-builder", daemon=True
        )
        self._builder.start()

    def _build(self, old: StoredIndex, journal: Journal) -> None:
        try:
            self._copy_and_swap(old, journal)
        except (RuntimeError, MemoryError):
            _log.exception("index.building_failed", rows=old.count())
            self._stop_building(journal, 2 * old.count())

    def _stop_building(self, journal: Journal, limit: int | None = None) -> None:
        """Stay with the current kind until the index grows again, or has more rows than `limit`."""
        with self._changing:
            if self._journal is journal:
                self._journal, self._limit = None, self._limit if limit is None else limit

    def _copy_and_swap(self, old: StoredIndex, journal: Journal) -> None:
        """Fill a new index while `journal` collects the changes; stop if the journal is no longer current."""
        new = CompressedIndex(self._dimension, block_rows=self._block_rows)
        keys = old.keys()
        for first in range(0, len(keys), _COPIED_AT_ONCE):
            if self._journal is not journal:
                return
            part, vectors = _present(old, keys[first : first + _COPIED_AT_ONCE])
            new.add(part, vectors, owners=old.owners(part))
        representative = _present(new, sampled(new.keys()))[1]
        if len(representative) < LEAST_TRAINING_ROWS:  # most rows were removed while they were copied
            self._stop_building(journal)
            return
        new.train(representative)
        for turn in range(_CATCHING_UP + 1):
            with self._saving, self._changing:
                if self._journal is not journal:
                    return
                changes = journal.take_all()
                if len(changes) <= _LAST_CHANGES or turn == _CATCHING_UP:
                    changes.apply(new)
                    self._current, self._journal = new, None
                    _log.info("index.chosen", kind=new.kind, rows=new.count())
                    return
            changes.apply(new)


def _present(index: StoredIndex, keys: Keys) -> tuple[Keys, Floats]:
    """Return the existing keys, with their vectors."""
    vectors = index.vectors(keys)
    is_there = ~np.isnan(vectors[:, 0])
    return keys[is_there], vectors[is_there]
