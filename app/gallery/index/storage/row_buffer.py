"""Row buffer: the blocks of an index, and the slot (block number x block size + row) of each key."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gallery.index.storage.block import NOBODY, Codes, Halves, VectorBlock, widened
from app.gallery.index.storage.keymap import KeyMap
from app.types import Floats, Keys


class RowBuffer:
    """All blocks of an index, without locks.

    `dtype` and `dimension` as in `VectorBlock`; `new_codes` returns codes for a new block.
    """

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
        self._new_codes = new_codes
        self._dtype = dtype
        self.block_rows = block_rows
        self._map = KeyMap()
        self._open = -1  # the block that new rows go to

    def __len__(self) -> int:
        return len(self._map)

    def keys(self) -> Keys:
        """Return all keys, ascending."""
        return self._map.keys()

    def new_block(self) -> VectorBlock:
        """Return an empty block that is not part of the buffer."""
        return VectorBlock(self.block_rows, self.dimension, self._dtype, self._new_codes())

    def put(self, keys: Keys, vectors: Halves, owners: Keys | None = None) -> None:
        """Add vectors (n, d) and their owners (n,) under distinct keys (n,), replacing existing ones."""
        owners = owners if owners is not None else np.full(len(keys), NOBODY)
        slots = self._map.find(keys)
        is_old = slots >= 0
        for slot, vector, owner in zip(slots[is_old].tolist(), vectors[is_old], owners[is_old].tolist(), strict=True):
            self.blocks[slot // self.block_rows].replace(slot % self.block_rows, vector, owner)
        self._append(keys[~is_old], vectors[~is_old], owners[~is_old])

    def remove(self, keys: Keys) -> None:
        """Remove distinct keys (n,); missing keys are ignored."""
        slots = self._map.find(keys)
        self._map.discard(keys)
        moved: dict[int, int] = {}
        for slot in sorted(slots[slots >= 0].tolist(), reverse=True):  # so that no row moves that goes itself
            number, row = divmod(slot, self.block_rows)
            key = self.blocks[number].remove(row)
            if key is not None:
                moved[key] = slot
        self._map.set(np.fromiter(moved.keys(), np.int64), np.fromiter(moved.values(), np.int64))
        for number in np.unique(slots[slots >= 0] // self.block_rows).tolist():
            if not self.blocks[number].count:
                del self.blocks[number]

    def vectors(self, keys: Keys) -> Floats:
        """Return the vectors (n, d) of keys (n,); NaN for a missing key."""
        gathered: NDArray[Any] = np.empty((len(keys), self.dimension), self._dtype)
        order, end = np.empty(len(keys), np.int64), 0
        for block, rows, places in self._located(keys):
            start, end = end, end + len(rows)
            np.take(block.vectors, rows, axis=0, out=gathered[start:end], mode="clip")  # "raise" would copy twice
            order[start:end] = places
        found = np.empty((len(keys), self.dimension), np.float32)
        found[order[:end]] = widened(gathered[:end])
        if end < len(keys):
            found[np.delete(np.arange(len(keys)), order[:end])] = np.nan
        return found

    def owners(self, keys: Keys) -> Keys:
        """Return the owners (n,) of keys (n,); NOBODY for a missing key."""
        found = np.full(len(keys), NOBODY, np.int64)
        for block, rows, places in self._located(keys):
            found[places] = block.owners[rows]
        return found

    def has(self, keys: Keys) -> NDArray[np.bool_]:
        """Return for each of keys (n,) whether it exists."""
        return self._map.find(keys) >= 0

    def filter_present(self, keys: Keys) -> Keys:
        """Return the keys that exist, ascending, each once."""
        unique = np.unique(keys)
        return unique[self._map.find(unique) >= 0]

    def thin_block(self) -> int | None:
        """Return the number of a block that is less than half full and gets no more rows, or None."""
        for number, block in self.blocks.items():
            if number != self._open and 2 * block.count < self.block_rows:
                return number
        return None

    def empty_some(self, number: int, count: int) -> None:
        """Move at most `count` rows of a thin block to where new rows go."""
        block = self.blocks[number]
        first = max(block.count - count, 0)
        keys, owners = block.keys[first : block.count].copy(), block.owners[first : block.count].copy()
        vectors: Halves = block.vectors[first : block.count].astype(np.float16)
        block.cut(first)
        if not first:
            del self.blocks[number]
        self._append(keys, vectors, owners)

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
            self.blocks[slot // self.block_rows].remove(slot % self.block_rows)
        self._map.fill(*self._all())

    def _located(self, keys: Keys) -> Iterator[tuple[VectorBlock, Keys, Keys]]:
        """Yield each block with some of the keys: the block, their rows, and their places in `keys`."""
        slots = self._map.find(keys)
        order = np.argsort(slots, kind="stable")
        order = order[np.searchsorted(slots[order], 0) :]  # -1: missing
        numbers, rows = np.divmod(slots[order], self.block_rows)
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        ends = np.append(starts, len(order))[1:]
        for number, start, end in zip(numbers[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
            yield self.blocks[number], rows[start:end], order[start:end]

    def _all(self) -> tuple[Keys, Keys]:
        keys = [block.keys[: block.count] for block in self.blocks.values()]
        slots = [number * self.block_rows + np.arange(block.count) for number, block in self.blocks.items()]
        nothing: Keys = np.empty(0, np.int64)
        return np.concatenate([nothing, *keys]), np.concatenate([nothing, *slots])

    def _append(self, keys: Keys, vectors: Halves, owners: Keys) -> None:
        while len(keys):
            if self._open not in self.blocks or not self.blocks[self._open].room:
                self._open = max(self.blocks, default=-1) + 1
                self.blocks[self._open] = self.new_block()
            block = self.blocks[self._open]
            fitting = min(block.room, len(keys))
            self._map.set(keys[:fitting], self._open * self.block_rows + block.count + np.arange(fitting))
            block.append(keys[:fitting], vectors[:fitting], owners[:fitting])
            keys, vectors, owners = keys[fitting:], vectors[fitting:], owners[fitting:]
