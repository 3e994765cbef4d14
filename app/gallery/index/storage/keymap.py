"""Map from keys to slots in sorted arrays: 16 bytes per key instead of about 100 in a dict."""

import numpy as np

from app.types import Keys

# New keys wait in a dict until they are this many; then they are merged into the arrays, at O(all keys).
_MERGE_FROM = 65_536

_NOWHERE = -1


class KeyMap:
    """Map from keys to slots (both int64, slots not negative). Not thread-safe."""

    def __init__(self) -> None:
        self._keys: Keys = np.empty(0, np.int64)
        self._slots: Keys = np.empty(0, np.int64)  # _NOWHERE for a key that was discarded
        self._recent: dict[int, int] = {}  # keys that are not in the arrays
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, keys: Keys) -> Keys:
        """Return the slots (n,) of keys (n,); -1 for a missing key."""
        places, is_here = self._places(keys)
        slots = np.full(len(keys), _NOWHERE, np.int64)
        slots[is_here] = self._slots[places[is_here]]
        if self._recent:
            for number in np.flatnonzero(~is_here).tolist():
                slots[number] = self._recent.get(int(keys[number]), _NOWHERE)
        return slots

    def set(self, keys: Keys, slots: Keys) -> None:
        """Set the slots (n,) of distinct keys (n,), new or existing."""
        self._count += int((self.find(keys) == _NOWHERE).sum())
        places, is_here = self._places(keys)
        self._slots[places[is_here]] = slots[is_here]
        self._recent.update(zip(keys[~is_here].tolist(), slots[~is_here].tolist(), strict=True))
        if len(self._recent) >= _MERGE_FROM:
            self._merge()

    def fill(self, keys: Keys, slots: Keys) -> None:
        """Replace the content by distinct keys (n,) and their slots."""
        order = np.argsort(keys)
        self._keys, self._slots, self._recent = keys[order], slots[order], {}
        self._count = len(keys)

    def discard(self, keys: Keys) -> None:
        """Remove distinct keys (n,); missing keys are ignored."""
        self._count -= int((self.find(keys) != _NOWHERE).sum())
        places, is_here = self._places(keys)
        self._slots[places[is_here]] = _NOWHERE
        for key in keys[~is_here].tolist():
            self._recent.pop(key, None)

    def keys(self) -> Keys:
        """Return all keys, ascending."""
        return np.sort(np.concatenate([self._keys[self._slots != _NOWHERE], self._recent_arrays()[0]]))

    def _places(self, keys: Keys) -> tuple[Keys, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        if not len(self._keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return places, self._keys[places] == keys

    def _recent_arrays(self) -> tuple[Keys, Keys]:
        keys = np.fromiter(self._recent.keys(), np.int64, len(self._recent))
        slots = np.fromiter(self._recent.values(), np.int64, len(self._recent))
        return keys, slots

    def _merge(self) -> None:
        keys, slots = self._recent_arrays()
        order = np.argsort(keys)
        is_kept = self._slots != _NOWHERE
        old_keys, old_slots = self._keys[is_kept], self._slots[is_kept]
        places = np.searchsorted(old_keys, keys[order])
        self._keys = np.insert(old_keys, places, keys[order])
        self._slots = np.insert(old_slots, places, slots[order])
        self._recent = {}
