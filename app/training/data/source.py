"""The interface of data sets: labelled crops by index."""

import hashlib
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.types import Pixels

Labels = NDArray[np.int64]


class CropSource(Protocol):
    """n aligned crops of known people. Threads may use it concurrently."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the people, in the order of their labels."""

    @property
    def labels(self) -> Labels:
        """Return the label of each crop (n,): an index into `classes`."""

    def name(self, index: int) -> str:
        """Return the name of a crop, as used in lists."""

    def crop(self, index: int) -> Pixels:
        """Return a crop (112, 112, 3), RGB uint8; raises TrainingInvalid if it is damaged."""

    def encoded(self, index: int) -> bytes:
        """Return a crop as it is stored, a JPEG or PNG; raises TrainingInvalid if it cannot be read."""


def fingerprint(source: CropSource) -> str:
    """Return a hash of the names and labels; a run can only be resumed with the same data."""
    digest = hashlib.sha256("\n".join(source.classes).encode())
    digest.update(source.labels.astype("<i8").tobytes())
    for index in range(len(source.labels)):
        digest.update(source.name(index).encode() + b"\n")
    return digest.hexdigest()[:32]


def index_labels(names: list[str]) -> tuple[tuple[str, ...], Labels]:
    """Return the distinct names, sorted, and the index of each name among them (n,)."""
    classes, labels = np.unique(np.array(names, np.str_), return_inverse=True)
    return tuple(classes.tolist()), labels.astype(np.int64)
