"""Selection of the best of many answers. Pure."""

import numpy as np

from app.types import Floats, Keys


class Nearest:
    """Selection of the k best keys for each of n probes; at least k must be offered."""

    def __init__(self, probes: int, k: int) -> None:
        self._k = k
        self._similarities: Floats = np.empty((probes, 0), np.float32)
        self._keys: Keys = np.empty((probes, 0), np.int64)

    def offer(self, similarities: Floats, keys: Keys) -> None:
        """Add similarities (n, m) and keys, either (n, m) or (m,) for all probes."""
        similarities = np.concatenate([self._similarities, similarities], axis=1)
        keys = np.concatenate([self._keys, np.broadcast_to(keys, (len(self._keys), keys.shape[-1]))], axis=1)
        if similarities.shape[1] > self._k > 0:
            kept = np.argpartition(-similarities, self._k - 1, axis=1)[:, : self._k]
            similarities = np.take_along_axis(similarities, kept, axis=1)
            keys = np.take_along_axis(keys, kept, axis=1)
        self._similarities, self._keys = similarities, keys

    def best(self) -> tuple[Floats, Keys]:
        """Return similarities and keys (n, k), best first; equal ones in order of their keys."""
        order = np.lexsort((self._keys, -self._similarities), axis=1)[:, : self._k]
        similarities = np.take_along_axis(self._similarities, order, axis=1)
        return similarities, np.take_along_axis(self._keys, order, axis=1)
