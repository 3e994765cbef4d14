"""Row buffer: the blocks of an index, and the slot (block number x block size + row) of each key."""

from collections.abc import Callable

import numpy as np

from app.gallery.index.storage.block import Codes, Halves, VectorBlock, widened
from app.gallery.index.storage.keymap import KeyMap
from app.types import Floats, Keys


class RowBuffer:
    """All blocks of an index, without locks; `dtype` as in `VectorBlock`; `new_codes` returns codes for a new block."""

    def __init__(
        self,
        dimension: int,
        *,
        dtype: type[np.float16 | np.float32],
        block_rows: int,
        new_codes: Callable[[], Codes | None],
    ) -> None:
        self.dimension = dimension
        self.blocks: dict[int, VectorBlock] = {}
        self.new_codes = new_codes
        self._dtype = dtype
        self._block_rows = block_rows
        self._map = KeyMap()
        self._open = -1  # the block that new rows go to

    def __len__(self) -> int:
        return len(self._map)

    def keys(self) -> Keys:
        """Return all keys, ascending."""
        return self._map.keys()

    def new_block(self) -> VectorBlock:
        """Return an empty block that is not part of the buffer."""
        return VectorBlock(self._block_rows, self.dimension, self._dtype, self.new_codes())

    def put(self, keys: Keys, vectors: Halves) -> None:
        """Add vectors (n, d) under distinct keys (n,), replacing existing ones."""
        slots = self._map.find(keys)
        is_old = slots >= 0
        for slot, vector in zip(slots[is_old].tolist(), vectors[is_old], strict=True):
            self.blocks[slot // self._block_rows].replace(slot % self._block_rows, vector)
        self._append(keys[~is_old], vectors[~is_old])

    def remove(self, keys: Keys) -> None:
        """Remove distinct keys (n,); missing keys are ignored."""
        slots = self._map.find(keys)
        self._map.discard(keys)
        moved: dict[int, int] = {}
        for slot in sorted(slots[slots >= 0].tolist(), reverse=True):  # so that no row moves that goes itself
            number, row = divmod(slot, self._block_rows)
            key = self.blocks[number].remove(row)
            if key is not None:
                moved[key] = slot
        self._map.set(np.fromiter(moved.keys(), np.int64), np.fromiter(moved.values(), np.int64))
        for number in np.unique(slots[slots >= 0] // self._block_rows).tolist():
            if not self.blocks[number].count:
                del self.blocks[number]

    def vectors(self, keys: Keys) -> Floats:
        """Return the vectors (n, d) of keys (n,); NaN for a missing key."""
        slots = self._map.find(keys)
        found = np.full((len(keys), self.dimension), np.nan, np.float32)
        numbers = np.where(slots >= 0, slots // self._block_rows, -1)
        for number in np.unique(numbers[numbers >= 0]).tolist():
            here = numbers == number
            found[here] = widened(self.blocks[number].vectors[slots[here] % self._block_rows])
        return found

    def filter_present(self, keys: Keys) -> Keys:
        """Return the keys that exist, ascending, each once."""
        unique = np.unique(keys)
        return unique[self._map.find(unique) >= 0]

    def thin_block(self) -> int | None:
        """Return the number of a block that is less than half full and gets no more rows, or None."""
        for number, block in self.blocks.items():
            if number != self._open and 2 * block.count < self._block_rows:
                return number
        return None

    def empty_some(self, number: int, count: int) -> None:
        """Move at most `count` rows of a thin block to where new rows go."""
        block = self.blocks[number]
        first = max(block.count - count, 0)
        keys = block.keys[first : block.count].copy()
        vectors: Halves = block.vectors[first : block.count].astype(np.float16)
        block.cut(first)
        if not first:
            del self.blocks[number]
        self._append(keys, vectors)

    def adopt(self, blocks: list[VectorBlock]) -> None:
        """Replace the content by filled blocks; if a key has several rows, the last one counts.

        A snapshot has several rows of a key if the key was removed and added again during the save.
        """
        self.blocks = dict(enumerate(blocks))
        self._open = len(blocks) - 1
        keys, slots = self._all()
        order = np.argsort(keys, kind="stable")
        is_older = np.append(np.diff(keys[order]) == 0, np.False_) if len(keys) else np.empty(0, np.bool_)
        for slot in sorted(slots[order][is_older].tolist(), reverse=True):
            self.blocks[slot // self._block_rows].remove(slot % self._block_rows)
        self._map.fill(*self._all())

    def _all(self) -> tuple[Keys, Keys]:
        keys = [block.keys[: block.count] for block in self.blocks.values()]
        slots = [number * self._block_rows + np.arange(block.count) for number, block in self.blocks.items()]
        nothing: Keys = np.empty(0, np.int64)
        return np.concatenate([nothing, *keys]), np.concatenate([nothing, *slots])

    def _append(self, keys: Keys, vectors: Halves) -> None:
        while len(keys):
            if self._open not in self.blocks or not self.blocks[self._open].room:
                self._open = max(self.blocks, default=-1) + 1
                self.blocks[self._open] = self.new_block()
            block = self.blocks[self._open]
            fitting = min(block.room, len(keys))
            self._map.set(keys[:fitting], self._open * self._block_rows + block.count + np.arange(fitting))
            block.append(keys[:fitting], vectors[:fitting])
            keys, vectors = keys[fitting:], vectors[fitting:]
