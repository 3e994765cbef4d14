"""What every index can do. One contract suite (tests/index/test_contract.py) holds for all."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.faces import Floats

Keys = NDArray[np.int64]


class VectorIndex(Protocol):
    """A set of (key, unit vector), searched by cosine similarity.

    Searches may run beside each other and beside one writer; writers wait for each other.
    """

    @property
    def dimension(self) -> int:
        """Length of every vector."""

    def add(self, keys: Keys, vectors: Floats) -> None:
        """Add vectors (n, d) under distinct keys (n,); a key that is there already gets the new vector."""

    def remove(self, keys: Keys) -> None:
        """Remove keys (n,); one that is not there is passed over."""

    def search(self, vectors: Floats, k: int) -> tuple[Floats, Keys]:
        """Return the similarities and keys of the nearest, best first: (n, m) each, m = min(k, count)."""

    def count(self) -> int:
        """Return how many vectors there are."""

    def save(self, path: Path) -> None:
        """Write the index to a file that `load` reads; a file that is there is replaced at once or not at all."""

    def load(self, path: Path) -> None:
        """Replace the content by that of a saved file; raises IndexUnusable and changes nothing if it does not fit."""
