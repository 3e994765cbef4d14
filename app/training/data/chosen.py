"""A part of a data set, and crops kept in memory once they are decoded."""

from collections.abc import Container

import numpy as np

from app.alignment import CROP_SIDE
from app.errors import TrainingInvalid
from app.faces import Pixels
from app.training.data.values import Labels, Source

CROP_BYTES = CROP_SIDE * CROP_SIDE * 3


class Chosen:
    """A data set without the crops of a list, and without people of whom fewer than `least` crops are left."""

    def __init__(self, source: Source, *, excluded: Container[str] = (), least: int = 1) -> None:
        """Raise TrainingInvalid when fewer than two people are left."""
        is_kept = np.array([source.name(place) not in excluded for place in range(len(source.labels))], np.bool_)
        counts = np.bincount(source.labels[is_kept], minlength=len(source.classes))
        is_kept &= counts[source.labels] >= max(least, 1)
        self._source = source
        self._places = np.flatnonzero(is_kept)
        people, labels = np.unique(source.labels[is_kept], return_inverse=True)
        if len(people) < 2:
            raise TrainingInvalid(f"{len(people)} people with {least} or more photos are left; training takes two")
        self.classes = tuple(source.classes[each] for each in people.tolist())
        self.labels: Labels = labels.astype(np.int64)

    def name(self, place: int) -> str:
        """See Source."""
        return self._source.name(int(self._places[place]))

    def crop(self, place: int) -> Pixels:
        """See Source."""
        return self._source.crop(int(self._places[place]))


class InMemory:
    """A data set whose crops are decoded once: 37,632 bytes each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._crops = np.empty((len(source.labels), CROP_SIDE, CROP_SIDE, 3), np.uint8)  # pages come as they are used
        self._is_here = np.zeros(len(source.labels), np.bool_)
        self.classes = source.classes
        self.labels = source.labels

    def name(self, place: int) -> str:
        """See Source."""
        return self._source.name(place)

    def crop(self, place: int) -> Pixels:
        """See Source. Two threads that come at once both decode, and write the same."""
        if not self._is_here[place]:
            self._crops[place] = self._source.crop(place)
            self._is_here[place] = True
        crop: Pixels = self._crops[place]
        return crop


def in_memory(source: Source, most_bytes: int) -> Source:
    """Keep the decoded crops of a data set in memory if all of them fit."""
    return InMemory(source) if len(source.labels) * CROP_BYTES <= most_bytes else source
