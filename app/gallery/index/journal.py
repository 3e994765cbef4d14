"""Journal of the changes that a new index still lacks, in order."""

from dataclasses import dataclass

from app.gallery.index.protocol import VectorIndex
from app.types import Floats, Keys


@dataclass(frozen=True, slots=True)
class _Change:
    keys: Keys
    vectors: Floats | None  # None: removed
    owners: Keys | None = None


class Journal:
    """Changes in order. Not thread-safe."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._keys = 0

    def __len__(self) -> int:
        """Return the number of added and removed keys."""
        return self._keys

    def add(self, keys: Keys, vectors: Floats, owners: Keys | None = None) -> None:
        """Record an `add`; the arrays are copied."""
        self._note(_Change(keys.copy(), vectors.copy(), None if owners is None else owners.copy()))

    def remove(self, keys: Keys) -> None:
        """Record a `remove`; the array is copied."""
        self._note(_Change(keys.copy(), None))

    def take_all(self) -> "Journal":
        """Move all changes so far into a new journal and return it."""
        changes = Journal()
        changes._changes, changes._keys = self._changes, self._keys
        self._changes, self._keys = [], 0
        return changes

    def apply(self, index: VectorIndex) -> None:
        """Apply the changes to an index."""
        for change in self._changes:
            if change.vectors is None:
                index.remove(change.keys)
            else:
                index.add(change.keys, change.vectors, owners=change.owners)

    def _note(self, change: _Change) -> None:
        self._changes.append(change)
        self._keys += len(change.keys)
