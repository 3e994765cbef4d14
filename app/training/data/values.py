"""What every data set is to a training run: crops by number, each with the number of its person."""

import hashlib
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.faces import Pixels

Labels = NDArray[np.int64]


class Source(Protocol):
    """n aligned crops of known people. Safe under concurrent calls."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The people, in the order of their numbers."""

    @property
    def labels(self) -> Labels:
        """The number of each crop's person (n,), 0 to the number of people - 1."""

    def name(self, place: int) -> str:
        """Return what lists call a crop."""

    def crop(self, place: int) -> Pixels:
        """Return a crop (112, 112, 3), RGB uint8; raises TrainingInvalid when it is damaged."""


def fingerprint(source: Source) -> str:
    """Return a short name for who is in the data and in what order: a run goes on only with the same."""
    digest = hashlib.sha256("\n".join(source.classes).encode())
    digest.update(source.labels.astype("<i8").tobytes())
    for place in range(len(source.labels)):
        digest.update(source.name(place).encode() + b"\n")
    return digest.hexdigest()[:32]


def numbered(names: list[str]) -> tuple[tuple[str, ...], Labels]:
    """Return the distinct names, sorted, and the number of each (n,)."""
    classes, labels = np.unique(np.array(names, np.str_), return_inverse=True)
    return tuple(classes.tolist()), labels.astype(np.int64)
