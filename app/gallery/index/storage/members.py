"""Map from people to the keys of their templates in sorted arrays: 17 bytes per key instead of about 100 in a dict."""

import numpy as np

from app.types import Keys

# New keys wait in a dict until they are this many; then they are merged into the arrays, at O(all keys).
_MERGE_FROM = 65_536


class MemberMap:
    """Map from people to the keys of their templates. Not thread-safe."""

    def __init__(self) -> None:
        self._owners: Keys = np.empty(0, np.int64)  # ascending; of equal ones, the keys ascend
        self._keys: Keys = np.empty(0, np.int64)
        self._is_gone = np.empty(0, np.bool_)
        self._recent: dict[int, list[int]] = {}  # those that are not in the arrays
        self._waiting = 0

    def of(self, owners: Keys) -> tuple[Keys, Keys]:
        """Return the keys (n,) of distinct people (m,), and for each key the place of its owner in `owners`, ascending.

        People without templates have no key.
        """
        first = np.searchsorted(self._owners, owners)
        counts = np.searchsorted(self._owners, owners, "right") - first
        whose = np.repeat(np.arange(len(owners)), counts)
        places = np.arange(len(whose)) + np.repeat(first - np.cumsum(counts) + counts, counts)
        is_there = ~self._is_gone[places]
        keys, whose = self._keys[places[is_there]], whose[is_there]
        if not self._recent:
            return keys, whose
        new = [(at, key) for at, owner in enumerate(owners.tolist()) for key in self._recent.get(owner, ())]
        if not new:
            return keys, whose
        pairs = np.array(new, np.int64)
        keys, whose = np.concatenate([keys, pairs[:, 1]]), np.concatenate([whose, pairs[:, 0]])
        order = np.argsort(whose, kind="stable")
        return keys[order], whose[order]

    def set(self, owners: Keys, keys: Keys) -> None:
        """Add distinct keys (n,) that belong to nobody to the people `owners` (n,)."""
        for owner, key in zip(owners.tolist(), keys.tolist(), strict=True):
            self._recent.setdefault(owner, []).append(key)
        self._waiting += len(keys)
        if self._waiting >= _MERGE_FROM:
            self._merge()

    def discard(self, owners: Keys, keys: Keys) -> None:
        """Remove keys (n,) from the people `owners` (n,), to whom they belong."""
        first, last = np.searchsorted(self._owners, owners), np.searchsorted(self._owners, owners, "right")
        for owner, key, start, end in zip(owners.tolist(), keys.tolist(), first.tolist(), last.tolist(), strict=True):
            new = self._recent.get(owner)
            if new is not None and key in new:
                new.remove(key)
                self._waiting -= 1
                if not new:
                    del self._recent[owner]
            else:
                self._is_gone[start + int(np.searchsorted(self._keys[start:end], key))] = True

    def fill(self, owners: Keys, keys: Keys) -> None:
        """Replace the content by distinct keys (n,) of the people `owners` (n,)."""
        order = np.lexsort((keys, owners))
        self._owners, self._keys, self._is_gone = owners[order], keys[order], np.zeros(len(keys), np.bool_)
        self._recent, self._waiting = {}, 0

    def people(self) -> Keys:
        """Return everyone who may have templates, ascending."""
        merged = self._owners[np.flatnonzero(np.diff(self._owners, prepend=-1))]  # `unique` would sort or hash them all
        return np.union1d(merged, np.fromiter(self._recent, np.int64, len(self._recent))) if self._recent else merged

    def _merge(self) -> None:
        pairs = [(owner, key) for owner, keys in sorted(self._recent.items()) for key in sorted(keys)]
        owners, keys = np.array(pairs, np.int64).reshape(-1, 2).T
        is_kept = ~self._is_gone
        old_owners, old_keys = self._owners[is_kept], self._keys[is_kept]
        if not len(old_owners) or owners[0] > old_owners[-1]:
            self._owners, self._keys = np.concatenate([old_owners, owners]), np.concatenate([old_keys, keys])
            self._is_gone, self._recent, self._waiting = np.zeros(len(self._keys), np.bool_), {}, 0
        else:
            self.fill(np.concatenate([old_owners, owners]), np.concatenate([old_keys, keys]))
