"""Who is worked on, who waits, who is refused: the service's work is bounded, whatever arrives."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.errors import DeadlineExceeded, Overloaded, ShuttingDown


class Admission:
    """Turns for the services' work: as many at once as `at_once`, `most_waiting` more in order of arrival.

    Few threads that do one photo after the other need less memory and keep their caches warmer than many that share the
    cores; and a status request, which takes no turn, never waits behind them. For one event loop; not thread-safe.
    """

    def __init__(
        self,
        at_once: int,
        *,
        most_waiting: int,
        wait_seconds: float,
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`waited` is told the seconds that each request waited for the turn that it got."""
        self.at_once = at_once
        self.most_waiting = most_waiting
        self.running = 0
        self.waiting = 0
        self.is_draining = False
        self._wait_seconds = wait_seconds
        self._waited = waited
        self._turns = asyncio.Semaphore(at_once)

    def resize(self, at_once: int) -> None:
        """Say anew how many are worked on at once; before the first turn, which is when the networks are open."""
        self.at_once = at_once
        self._turns = asyncio.Semaphore(at_once)

    def drain(self) -> None:
        """From now on refuse what has not begun to read its body; the others finish."""
        self.is_draining = True

    def require_room(self) -> None:
        """Ask before a body is read; raises Overloaded, ShuttingDown.

        Nothing is reserved: who sends a body slowly takes nobody's place.
        """
        if self.is_draining:
            raise ShuttingDown
        self._require_place()

    @asynccontextmanager
    async def turn(self, receive: Receive) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises Overloaded at once when too many wait, DeadlineExceeded after too long a wait, and ClientDisconnect when
        the client, whose messages `receive` gives, has gone before the work began. What has begun is not interrupted.
        """
        self._require_place()
        await self._acquire(receive)
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._turns.release()

    def _require_place(self) -> None:
        if self.running + self.waiting >= self.at_once + self.most_waiting:
            raise Overloaded(f"{self.waiting} requests are waiting, the most allowed")

    async def _acquire(self, receive: Receive) -> None:
        started = time.perf_counter()
        gone = asyncio.create_task(departure(receive))
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds) as deadline:
                gone.add_done_callback(lambda _: _end(deadline))
                await asyncio.sleep(0)  # whoever has gone already is noticed here, also when a turn is free
                await self._turns.acquire()
            if gone.done():
                self._turns.release()
                gone.result()
                raise ClientDisconnect
        except TimeoutError:
            if gone.done():
                gone.result()
                raise ClientDisconnect from None
            raise DeadlineExceeded(f"no turn came within {self._wait_seconds:g} seconds; try again later") from None
        finally:
            self.waiting -= 1
            gone.cancel()
        self._waited(time.perf_counter() - started)


async def departure(receive: Receive) -> None:
    """Return once the client has gone; its body has been read by now."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _end(deadline: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # the wait is over
        deadline.reschedule(0)
