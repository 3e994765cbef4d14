"""The heap of the C library: what requests have freed goes back to the system."""

import ctypes
import sys

from app.periodic_worker import PeriodicWorker

_EVERY_S = 10.0


class HeapTrimmer(PeriodicWorker):
    """A thread that returns free pages of glibc's heap; does nothing with another C library.

    glibc itself returns only the top of the heap, and one small block there holds back all free memory below it.
    Without this thread, a service keeps the memory of its largest photos.
    """

    def __init__(self, *, every: float = _EVERY_S) -> None:
        super().__init__("heap", every=every)
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

    def step(self) -> None:
        """Return the free pages. During this time, allocations may wait some milliseconds."""
        if self._trim is not None:
            self._trim(0)
