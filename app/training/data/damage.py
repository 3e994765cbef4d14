"""Damaged photos: a run skips a few, and stops at too many."""

import threading

from app.errors import PhotosDamaged


def allowed_damaged(photos: int, share: float) -> int:
    """Return how many of `photos` may be damaged; if the share is above 0, one always may."""
    return max(int(photos * share), 1) if share > 0 else 0


def require_few_damaged(count: int, photos: int, share: float, last: str) -> None:
    """Raise PhotosDamaged, with the reason of the last one, if more photos are damaged than the share allows."""
    if count > allowed_damaged(photos, share):
        raise PhotosDamaged(
            f"{count:,} of {photos:,} photos cannot be read, more than data.max_damaged = {share:g} "
            f"allows; the last one: {last}; `arcid train --check` lists all of them"
        )


class DamagedCrops:
    """The crops of a run that could not be read. Several threads may use it at once."""

    def __init__(self, photos: int, share: float) -> None:
        """Start without a damaged crop.

        Args:
            photos: Number of photos in the data set.
            share: Share of them that may be damaged.
        """
        self.reasons: dict[int, str] = {}
        self._photos = photos
        self._share = share
        self._lock = threading.Lock()

    def add(self, index: int, reason: str) -> None:
        """Note a crop; raises PhotosDamaged if there are more than allowed."""
        with self._lock:
            self.reasons[index] = reason
            count = len(self.reasons)
        require_few_damaged(count, self._photos, self._share, reason)
