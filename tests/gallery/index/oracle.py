"""The oracle: exact search in NumPy, too plain to be wrong; every other index is held against it."""

import numpy as np

from app.gallery.index.storage.folder_lock import ReadWriteLock
from app.types import Floats, Keys


class OracleIndex:
    """See `VectorIndex`. Equal similarities come in order of their keys."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._lock = ReadWriteLock()
        self._owners: dict[int, int] = {}
        self._keys: Keys = np.empty(0, np.int64)
        self._vectors: Floats = np.empty((0, dimension), np.float32)

    @property
    def kind(self) -> str:
        """See `VectorIndex`."""
        return "oracle"

    @property
    def dimension(self) -> int:
        """See `VectorIndex`."""
        return self._dimension

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        """See `VectorIndex`."""
        owners = owners if owners is not None else np.full(len(keys), -1)
        self._owners |= dict(zip(keys.tolist(), owners.tolist(), strict=True))
        stored = vectors.astype(np.float16).astype(np.float32)
        with self._lock.writing():
            kept = ~np.isin(self._keys, keys)
            self._keys = np.concatenate([self._keys[kept], keys])
            self._vectors = np.concatenate([self._vectors[kept], stored])

    def remove(self, keys: Keys) -> None:
        """See `VectorIndex`."""
        with self._lock.writing():
            kept = ~np.isin(self._keys, keys)
            self._keys, self._vectors = self._keys[kept], self._vectors[kept]

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        """See `VectorIndex`."""
        with self._lock.reading():
            compared = np.ones(len(self._keys), np.bool_) if among is None else np.isin(self._keys, among)
            keys, similarities = self._keys[compared], vectors @ self._vectors[compared].T
            order = np.lexsort((np.broadcast_to(keys, similarities.shape), -similarities), axis=1)[:, :k]
            return np.take_along_axis(similarities, order, axis=1), keys[order]

    def close(self) -> None:
        """See `VectorIndex`."""

    def search_people(self, vectors: Floats, k: int) -> list[Keys] | None:
        """See `VectorIndex`."""
        del vectors, k
        return None

    def owners(self, keys: Keys) -> Keys:
        """See `VectorIndex`."""
        here = set(self.keys().tolist())
        return np.array([self._owners[key] if key in here else -1 for key in keys.tolist()], np.int64)

    def count(self) -> int:
        """See `VectorIndex`."""
        return len(self._keys)

    def keys(self) -> Keys:
        """See `VectorIndex`."""
        with self._lock.reading():
            return np.sort(self._keys)

    def vectors(self, keys: Keys) -> Floats:
        """See `VectorIndex`."""
        found = np.full((len(keys), self._dimension), np.nan, np.float32)
        with self._lock.reading():
            for row, key in enumerate(keys):
                if key in self._keys:
                    found[row] = self._vectors[self._keys == key][0]
        return found
