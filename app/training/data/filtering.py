"""Wrappers of a data set: a filter, and a cache of decoded crops in memory."""

from collections.abc import Container

import numpy as np

from app.errors import TrainingInvalid
from app.training.data.source import CropSource, Labels
from app.types import Pixels
from app.vision.alignment import CROP_SIDE

CROP_BYTES = CROP_SIDE * CROP_SIDE * 3


class FilteredSource:
    """A data set without the excluded crops and without people who have fewer than `min_photos` crops left."""

    def __init__(self, source: CropSource, *, excluded: Container[str] = (), min_photos: int = 1) -> None:
        """Filter the data set; raises TrainingInvalid if fewer than two people are left."""
        is_kept = np.array([source.name(index) not in excluded for index in range(len(source.labels))], np.bool_)
        counts = np.bincount(source.labels[is_kept], minlength=len(source.classes))
        is_kept &= counts[source.labels] >= max(min_photos, 1)
        self._source = source
        self._indices = np.flatnonzero(is_kept)
        people, labels = np.unique(source.labels[is_kept], return_inverse=True)
        if len(people) < 2:
            left = ", ".join(source.classes[person] for person in people.tolist()) or "nobody"
            least = f" with {min_photos} photos or more" if min_photos > 1 else ""
            raise TrainingInvalid(f"training needs two people{least}, and there is only: {left}")
        self.classes = tuple(source.classes[person] for person in people.tolist())
        self.labels: Labels = labels.astype(np.int64)

    def name(self, index: int) -> str:
        """See CropSource."""
        return self._source.name(int(self._indices[index]))

    def crop(self, index: int) -> Pixels:
        """See CropSource."""
        return self._source.crop(int(self._indices[index]))

    def encoded(self, index: int) -> bytes:
        """See CropSource."""
        return self._source.encoded(int(self._indices[index]))


class CachedSource:
    """A data set that keeps its decoded crops in memory, 37,632 bytes each."""

    def __init__(self, source: CropSource) -> None:
        self._source = source
        self._crops = np.empty(
            (len(source.labels), CROP_SIDE, CROP_SIDE, 3), np.uint8
        )  # the system allocates pages on first use
        self._is_decoded = np.zeros(len(source.labels), np.bool_)
        self.classes = source.classes
        self.labels = source.labels

    def name(self, index: int) -> str:
        """See CropSource."""
        return self._source.name(index)

    def crop(self, index: int) -> Pixels:
        """See CropSource. Two threads may decode the same crop at once; they write the same pixels."""
        if not self._is_decoded[index]:
            self._crops[index] = self._source.crop(index)
            self._is_decoded[index] = True
        crop: Pixels = self._crops[index]
        return crop

    def encoded(self, index: int) -> bytes:
        """See CropSource."""
        return self._source.encoded(index)


def in_memory(source: CropSource, max_bytes: int) -> CropSource:
    """Cache the decoded crops of a data set in memory if all of them fit in `max_bytes`."""
    return CachedSource(source) if len(source.labels) * CROP_BYTES <= max_bytes else source
