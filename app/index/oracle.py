"""The oracle: exact search in NumPy, too plain to be wrong; every other index is held against it."""

import zipfile
from pathlib import Path

import numpy as np

from app.errors import IndexUnusable
from app.faces import Floats
from app.index.files import check_whole, write_whole
from app.index.lock import ReadWriteLock
from app.index.protocol import Keys

# What NumPy and zipfile raise on files that are no .npz, or one with other arrays.
_LOAD_ERRORS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class OracleIndex:
    """See `VectorIndex`. Equal similarities come in order of their keys."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._lock = ReadWriteLock()
        self._keys: Keys = np.empty(0, np.int64)
        self._vectors: Floats = np.empty((0, dimension), np.float32)

    @property
    def dimension(self) -> int:
        """See `VectorIndex`."""
        return self._dimension

    def add(self, keys: Keys, vectors: Floats) -> None:
        """See `VectorIndex`."""
        with self._lock.writing():
            kept = ~np.isin(self._keys, keys)
            self._keys = np.concatenate([self._keys[kept], keys])
            self._vectors = np.concatenate([self._vectors[kept], vectors])

    def remove(self, keys: Keys) -> None:
        """See `VectorIndex`."""
        with self._lock.writing():
            kept = ~np.isin(self._keys, keys)
            self._keys, self._vectors = self._keys[kept], self._vectors[kept]

    def search(self, vectors: Floats, k: int) -> tuple[Floats, Keys]:
        """See `VectorIndex`."""
        with self._lock.reading():
            similarities = vectors @ self._vectors.T
            order = np.lexsort((np.broadcast_to(self._keys, similarities.shape), -similarities), axis=1)[:, :k]
            return np.take_along_axis(similarities, order, axis=1), self._keys[order]

    def count(self) -> int:
        """See `VectorIndex`."""
        return len(self._keys)

    def save(self, path: Path) -> None:
        """See `VectorIndex`."""
        with self._lock.reading():
            keys, vectors = self._keys, self._vectors

        def write(part: Path) -> None:
            with part.open("wb") as file:
                np.savez(file, keys=keys, vectors=vectors)

        write_whole(path, write)

    def load(self, path: Path) -> None:
        """See `VectorIndex`."""
        check_whole(path)
        try:
            with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as saved:
                keys, vectors = saved["keys"], saved["vectors"]
        except _LOAD_ERRORS as error:
            raise IndexUnusable(f"{path} is no index file: {error}") from error
        is_typed = keys.dtype == np.int64 and vectors.dtype == np.float32
        if not is_typed or keys.ndim != 1 or vectors.shape != (len(keys), self._dimension):
            raise IndexUnusable(f"{path} holds vectors of shape {vectors.shape}, expected (n, {self._dimension})")
        with self._lock.writing():
            self._keys, self._vectors = keys, vectors
