"""Damaged crops: a run skips a few, and stops if there are many."""

import threading

from app.errors import PhotosDamaged


class DamagedCrops:
    """The crops of a run that could not be read. Several threads may use it at once."""

    def __init__(self, photos: int, share: float) -> None:
        """Args: photos: in the data set. share: of them that may be damaged; if above 0, one always may."""
        self.limit = max(int(photos * share), 1) if share > 0 else 0
        self.reasons: dict[int, str] = {}
        self._photos = photos
        self._share = share
        self._lock = threading.Lock()

    def add(self, index: int, reason: str) -> None:
        """Note a crop; raises PhotosDamaged if there are more than allowed."""
        with self._lock:
            self.reasons[index] = reason
            count = len(self.reasons)
        if count > self.limit:
            raise PhotosDamaged(
                f"{count} of {self._photos:,} photos cannot be read, more than data.max_damaged = {self._share:g} "
                f"allows; the last one: {reason}; `arcid train --check` lists all of them"
            )
