"""The wall clock, and whether it was set recently: sweeps then wait, because deletions are final."""

import threading
import time
from collections.abc import Callable

from app.observability.logs import get_logger

_log = get_logger(__name__)

_STEP_S = 60.0
"""The clock counts as set if it moves by more than this against the monotonic clock."""
_SETTLING_S = 3600.0
"""After that, nothing is swept for so long: a wrong clock can be corrected in this time."""


class WallClock:
    """Compares the wall clock with the monotonic one; threads may share it.

    The wall clock decides what has expired, and so what a caller sees. Sweeps, which delete what has expired, also ask
    `is_settled`.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._offset = wall() - steady()
        self._settled_at = -float("inf")

    def is_settled(self) -> bool:
        """Return True if the clock was not set within the last hour."""
        with self._lock:
            now = self._steady()
            step = self._wall() - now - self._offset
            if abs(step) > _STEP_S:
                self._offset += step
                self._settled_at = now + _SETTLING_S
                _log.warning("clock.set", seconds=round(step), no_sweep_for=_SETTLING_S)
            return now >= self._settled_at
