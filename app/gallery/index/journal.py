"""Changes that one index has seen and another still lacks, in their order."""

from dataclasses import dataclass

from app.gallery.index.protocol import VectorIndex
from app.types import Floats, Keys


@dataclass(frozen=True, slots=True)
class _Change:
    keys: Keys
    vectors: Floats | None  # None: removed


class Journal:
    """Not guarded against concurrent use."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._keys = 0

    def __len__(self) -> int:
        """Return how many keys were added and removed."""
        return self._keys

    def add(self, keys: Keys, vectors: Floats) -> None:
        """Note an `add` of an index; the arrays are copied."""
        self._note(_Change(keys.copy(), vectors.copy()))

    def remove(self, keys: Keys) -> None:
        """Note a `remove` of an index."""
        self._note(_Change(keys.copy(), None))

    def take_all(self) -> "Journal":
        """Return a journal with all changes so far, and be empty."""
        changes = Journal()
        changes._changes, changes._keys = self._changes, self._keys
        self._changes, self._keys = [], 0
        return changes

    def apply(self, index: VectorIndex) -> None:
        """Make the changes in an index."""
        for change in self._changes:
            if change.vectors is None:
                index.remove(change.keys)
            else:
                index.add(change.keys, change.vectors)

    def _note(self, change: _Change) -> None:
        self._changes.append(change)
        self._keys += len(change.keys)
