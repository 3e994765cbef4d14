"""Blocks: up to 65,536 templates, dense in memory; one segment of a snapshot each."""

from typing import Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from app.types import Floats, Keys

BLOCK_ROWS = 65_536

NOBODY = -1
"""The owner of a template whose person is unknown."""

Halves = NDArray[np.float16]
Bytes = NDArray[np.uint8]


class Codes(Protocol):
    """Short codes of a block for fast search; row i encodes the block's row i."""

    def append(self, vectors: Floats) -> None:
        """Add rows for vectors (n, d) at the end."""

    def replace(self, row: int, vector: Floats) -> None:
        """Replace the vector (d,) of a row."""

    def move(self, source: int, target: int) -> None:
        """Copy row `source` over row `target`."""

    def cut(self, count: int) -> None:
        """Keep the first `count` rows, and erase the others from memory."""

    def search(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        """Return for prepared probes (n, D) the k <= count rows (n, k) that seem nearest, with their scores (n, k).

        Where fewer are found, the row is -1.
        """


def widened(vectors: Halves | Floats) -> Floats:
    """Return rows (n, d) as float32. FAISS converts float16 three times as fast as NumPy."""
    if vectors.dtype == np.float32:
        return np.asarray(vectors, np.float32)
    if not len(vectors):
        return np.empty(vectors.shape, np.float32)
    decoder: Any = faiss.ScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16)
    decoded: Floats = decoder.decode(np.ascontiguousarray(vectors).view(np.uint8))
    return decoded


class VectorBlock:
    """Rows 0..count-1, without gaps: the last row moves into the place of one that is removed.

    `vectors` holds float16 values, as float16 or (twice the memory, searched as they are) as float32. With `dimension`
    0, the block keeps only the codes of its rows. `owners` are the people of the rows, or NOBODY.
    """

    def __init__(
        self, capacity: int, dimension: int, dtype: type[np.float16 | np.float32], codes: Codes | None
    ) -> None:
        self.count = 0
        self.keys: Keys = np.empty(capacity, np.int64)
        self.owners: Keys = np.empty(capacity, np.int64)
        self.vectors: NDArray[Any] = np.empty((capacity, dimension), dtype)  # takes memory only where written to
        self.codes = codes
        self.version = 0  # grows with every change

    @property
    def room(self) -> int:
        """Number of rows that can be appended."""
        return len(self.keys) - self.count

    def nearest(self, prepared: Floats, k: int) -> tuple[Floats, Keys]:
        """Return the scores and rows (n, k) that the codes name, see `Codes.search`; -1 everywhere without codes."""
        if self.codes is None:
            return np.zeros((len(prepared), k), np.float32), np.full((len(prepared), k), -1, np.int64)
        return self.codes.search(prepared, k)

    def append(self, keys: Keys, vectors: Halves, owners: Keys) -> None:
        """Add rows at the end; there must be room."""
        rows = slice(self.count, self.count + len(keys))
        self.keys[rows], self.owners[rows] = keys, owners
        self.vectors[rows] = vectors[:, : self.vectors.shape[1]]
        if self.codes is not None:
            self.codes.append(widened(vectors))
        self.count += len(keys)
        self.version += 1

    def replace(self, row: int, vector: Halves, owner: int) -> None:
        """Put a vector (d,) and its owner in the place of a row's old ones."""
        self.vectors[row], self.owners[row] = vector[: self.vectors.shape[1]], owner
        if self.codes is not None:
            self.codes.replace(row, vector.astype(np.float32))
        self.version += 1

    def remove(self, row: int) -> int | None:
        """Remove a row; return the key of the row moved into its place, None if it was the last."""
        last = self.count - 1
        if row != last:
            for column in (self.keys, self.owners, self.vectors):
                column[row] = column[last]
            if self.codes is not None:
                self.codes.move(last, row)
        self.cut(last)
        return int(self.keys[row]) if row != last else None

    def cut(self, count: int) -> None:
        """Keep the first `count` rows and overwrite the others, so that a deleted face is not in memory either."""
        self.keys[count : self.count] = self.owners[count : self.count] = -1
        self.vectors[count : self.count] = 0
        if self.codes is not None:
            self.codes.cut(count)
        self.count = count
        self.version += 1
