"""Rate limiting: requests are counted in this process, or in a Redis server that replicas share."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from app.access.counts import ProcessCounts
from app.access.rates import Allowance, RateLimitStatus, SlidingWindow
from app.errors import RatesUnavailable, SettingsInvalid
from app.observability.logs import get_logger

_log = get_logger(__name__)

_MOST_CONNECTIONS = 64
_ANSWER_WITHIN_S = 0.25  # Redis usually answers in well under a millisecond
_AWAY_S = 2.0  # pause after a failure, so that not every request waits for Redis


class SharedStorage(Protocol):
    """A storage of the library `limits` that replicas share; closed with the application."""

    storage: RedisStorage

    async def close(self) -> None:
        """Close its connections."""


class Redis:
    """A Redis server; connects at the first request."""

    def __init__(self, url: str, *, answer_within_s: float = _ANSWER_WITHIN_S) -> None:
        """Check `url` (redis://, rediss:// or unix://).

        Raises SettingsInvalid if it is not valid, or if the extra `redis` is not installed.
        """
        try:
            # An optional and heavy dependency: imported only if configured.
            from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
        except ImportError as error:
            raise SettingsInvalid("ARCID_RATES__STORAGE needs the extra `redis`: pip install 'arcid[redis]'") from error
        try:
            self._pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_MOST_CONNECTIONS,
                timeout=answer_within_s,
                socket_timeout=answer_within_s,
                socket_connect_timeout=answer_within_s,
                retry=Retry(NoBackoff(), 1),  # reconnect once, after a restart of Redis
            )
        except ValueError as error:  # its message may contain the password
            raise SettingsInvalid("ARCID_RATES__STORAGE: use redis://, rediss:// or unix://") from error
        self.storage = RedisStorage(
            "async+redis://",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix="arcid",
            connection_pool=self._pool,  # type: ignore[arg-type] # documented by the library
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.disconnect()


class Limiter:
    """Counts requests against allowances, within one event loop.

    Windows slide (the library's sliding window counter): requests of the previous window count by the part that still
    overlaps. So no client gets twice the rate at a window's border, and two numbers per account are enough.
    """

    def __init__(
        self,
        shared: SharedStorage | None = None,
        *,
        is_refused_when_away: bool = False,
        was_away: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use a shared storage, if given.

        Args:
            shared: None counts in this process only.
            is_refused_when_away: refuse requests while `shared` is unreachable, instead of counting in this process.
            was_away: called for each request that `shared` could not count.
            clock: seconds that never go back.
        """
        self._alone = SlidingWindowCounterRateLimiter(ProcessCounts())
        self._shared = shared
        self._together = SlidingWindowCounterRateLimiter(shared.storage) if shared else None
        self._is_refused_when_away = is_refused_when_away
        self._was_away = was_away
        self._clock = clock
        self._away_until: float | None = None

    async def take(self, allowances: Sequence[Allowance]) -> list[RateLimitStatus]:
        """Count one request against each allowance, up to the first that refuses it.

        Raises RatesUnavailable if the shared storage is unreachable and requests must then be refused.
        """
        if not allowances:
            return []
        if self._together is None:
            return await _take(self._alone, allowances)
        if self._away_until is None or self._clock() >= self._away_until:
            try:
                standings = await _take(self._together, allowances)
            except StorageError as error:
                self._is_away(error)
            else:
                self._is_back()
                return standings
        self._was_away()
        if self._is_refused_when_away:
            raise RatesUnavailable("rate limits cannot be checked now; try again later")
        return await _take(self._alone, allowances)

    async def close(self) -> None:
        """Close the shared storage."""
        if self._shared is not None:
            await self._shared.close()

    def _is_away(self, error: StorageError) -> None:
        if self._away_until is None:
            doing = "refusing" if self._is_refused_when_away else "counting alone"
            _log.warning("rates.storage_away", doing=doing, reason=type(error.storage_error).__name__)
        self._away_until = self._clock() + _AWAY_S

    def _is_back(self) -> None:
        if self._away_until is not None:
            _log.info("rates.storage_back")
        self._away_until = None


async def _take(limiter: SlidingWindowCounterRateLimiter, allowances: Sequence[Allowance]) -> list[RateLimitStatus]:
    taken: list[tuple[Allowance, bool]] = []
    for each in allowances:
        taken.append((each, await limiter.hit(_item(each), each.account, cost=each.amount)))
        if not taken[-1][1]:
            break
    windows = [await _window(limiter, each) for each, _ in taken]
    return [
        RateLimitStatus.of(each, window, is_allowed=is_allowed)
        for (each, is_allowed), window in zip(taken, windows, strict=True)
    ]


async def _window(limiter: SlidingWindowCounterRateLimiter, allowance: Allowance) -> SlidingWindow:
    item, seconds = _item(allowance), allowance.rate.seconds
    storage: ProcessCounts | RedisStorage = limiter.storage  # type: ignore[assignment] # the only two
    before, before_s, current, current_s = await storage.get_sliding_window(item.key_for(allowance.account), seconds)
    return SlidingWindow(before, before_s, current, max(0.0, current_s - seconds) if current_s else float(seconds))


def _item(allowance: Allowance) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(allowance.rate.amount, allowance.rate.seconds, allowance.name)
