"""Request counts in this process, as a storage of the library `limits`."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from limits.aio.storage import SlidingWindowCounterSupport, Storage

_SWEEP_AT_LEAST = 1024


@dataclass(slots=True)
class _Count:
    window: int  # number of the current window since the clock's zero
    before: int
    current: int
    expiry: int


class ProcessCounts(Storage, SlidingWindowCounterSupport):
    """Sliding window counters in memory, for one event loop.

    The library's own storage scans all accounts at each request: 0.1 ms with one account, 5 ms with 10,000, which a
    client with many addresses can cause. This one scans them only when their number has doubled.
    """

    STORAGE_SCHEME = ("async+process",)  # type: ignore[assignment] # a list nobody changes

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Count by `clock`: seconds that never go back, so that setting the system clock changes no limit."""
        super().__init__()
        self._clock = clock
        self._counts: dict[str, _Count] = {}
        self._sweep_at = _SWEEP_AT_LEAST

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return the error class that the library should expect; this storage never raises it."""
        return ValueError

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` requests if the total stays within `limit`; return whether it does."""
        count, now = self._count(key, expiry)
        used = count.before * _overlap(now, expiry) + count.current
        if math.floor(used) + amount > limit:
            return False
        count.current += amount
        self._counts[key] = count
        if len(self._counts) >= self._sweep_at:
            self._sweep(now)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the previous window's count and its remaining seconds, then the same of the current window."""
        count, now = self._count(key, expiry)
        left = _overlap(now, expiry) * expiry
        return count.before, left if count.before else 0.0, count.current, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 - the library's signature
        """Delete an account."""
        self._counts.pop(key, None)

    async def clear(self, key: str) -> None:
        """Delete an account."""
        self._counts.pop(key, None)

    async def reset(self) -> int:
        """Delete all accounts; return how many there were."""
        forgotten = len(self._counts)
        self._counts.clear()
        return forgotten

    async def check(self) -> bool:
        """Return True: memory is always available."""
        return True

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Refuse: fixed windows are not supported."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """Refuse: fixed windows are not supported."""
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        """Refuse: fixed windows are not supported."""
        raise NotImplementedError

    def _count(self, key: str, expiry: int) -> tuple[_Count, float]:
        now = self._clock()
        window = int(now // expiry)
        count = self._counts.get(key)
        if count is None or window > count.window + 1:
            return _Count(window, 0, 0, expiry), now
        if window == count.window + 1:
            return _Count(window, count.current, 0, expiry), now
        return count, now

    def _sweep(self, now: float) -> None:
        self._counts = {key: each for key, each in self._counts.items() if now // each.expiry <= each.window + 1}
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._counts))


def _overlap(now: float, expiry: int) -> float:
    """Return the share of the current window that is left; the previous window counts by the same share."""
    return 1 - now / expiry % 1
