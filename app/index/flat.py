"""FAISS, exact: every vector is compared (inner product of unit vectors = cosine similarity)."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from app.errors import IndexUnusable
from app.faces import Floats
from app.index.files import check_whole, write_whole
from app.index.lock import ReadWriteLock
from app.index.protocol import Keys

# From this many query components on, FAISS multiplies matrices (BLAS) instead of scanning once per query. Its default
# of 128,000 makes a crowd's search ten times slower than need be; below about 20 queries of 512-d scanning wins.
_BLAS_FROM = 10_000


class FlatIndex:
    """See `VectorIndex`."""

    def __init__(self, dimension: int) -> None:
        faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM
        self._lock = ReadWriteLock()
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        self._known: set[int] = set()  # FAISS would keep two vectors under one key

    @property
    def dimension(self) -> int:
        """See `VectorIndex`."""
        return int(self._index.d)

    def add(self, keys: Keys, vectors: Floats) -> None:
        """See `VectorIndex`."""
        with self._lock.writing():
            self._remove(keys)
            self._index.add_with_ids(np.ascontiguousarray(vectors), keys)
            self._known.update(keys.tolist())

    def remove(self, keys: Keys) -> None:
        """See `VectorIndex`."""
        with self._lock.writing():
            self._remove(keys)

    def search(self, vectors: Floats, k: int) -> tuple[Floats, Keys]:
        """See `VectorIndex`."""
        faiss.omp_set_num_threads(1)  # per thread; a request's search that spreads over cores slows all others down
        with self._lock.reading():
            found = min(k, int(self._index.ntotal))
            if not found or not len(vectors):
                return np.empty((len(vectors), found), np.float32), np.empty((len(vectors), found), np.int64)
            similarities, keys = self._index.search(np.ascontiguousarray(vectors), found)
        return similarities, keys

    def count(self) -> int:
        """See `VectorIndex`."""
        return int(self._index.ntotal)

    def save(self, path: Path) -> None:
        """See `VectorIndex`."""
        with self._lock.reading():
            write_whole(path, lambda part: faiss.write_index(self._index, str(part)))

    def load(self, path: Path) -> None:
        """See `VectorIndex`."""
        check_whole(path)
        try:
            loaded: Any = faiss.read_index(str(path))
        except RuntimeError as error:
            raise IndexUnusable(f"{path} is no FAISS index: {error}") from error
        if not _is_flat(loaded) or loaded.d != self.dimension:
            raise IndexUnusable(f"{path} holds another kind of index or vectors of another length")
        with self._lock.writing():
            self._index = loaded
            self._known = set(faiss.vector_to_array(loaded.id_map).tolist())

    def _remove(self, keys: Keys) -> None:
        known = self._known.intersection(keys.tolist())
        if known:
            self._index.remove_ids(np.fromiter(known, np.int64))
            self._known -= known


def _is_flat(index: Any) -> bool:
    """Say whether a loaded index is one that `FlatIndex` saved: exact, by inner product, one key for each vector."""
    if not isinstance(index, faiss.IndexIDMap2):
        return False
    vectors: Any = faiss.downcast_index(index.index)
    counts = {int(index.ntotal), int(vectors.ntotal), int(index.id_map.size())}
    return isinstance(vectors, faiss.IndexFlatIP) and vectors.d == index.d and len(counts) == 1
