"""Admission control: a bounded number of requests run at once, a bounded number wait, the others are refused."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.errors import DeadlineExceeded, Overloaded, ShuttingDown
from app.observability.counted import counted


class Admission:
    """Slots for requests: `at_once` run, and `most_waiting` more wait in order of arrival.

    Few threads that process one photo after another need less memory and keep their caches warmer than many threads
    that share the cores. A status request takes no slot, so it never waits. For one event loop; not thread-safe.
    """

    def __init__(
        self,
        at_once: int,
        *,
        most_waiting: int,
        wait_seconds: float,
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`waited` receives the seconds that each request waited for its slot."""
        self.at_once = at_once
        self.most_waiting = most_waiting
        self.running = 0
        self.waiting = 0
        self.is_draining = False
        self._wait_seconds = wait_seconds
        self._waited = waited
        self._turns = asyncio.Semaphore(at_once)

    def resize(self, at_once: int) -> None:
        """Change the concurrency limit. Call it once, after the networks are loaded and before the first request."""
        self.at_once = at_once
        self._turns = asyncio.Semaphore(at_once)

    def drain(self) -> None:
        """Refuse requests whose body has not been read yet; the others finish."""
        self.is_draining = True

    def require_room(self) -> None:
        """Raise Overloaded or ShuttingDown if a new request has no place; call it before its body is read.

        Nothing is reserved, so a slowly sent body takes no place.
        """
        if self.is_draining:
            raise ShuttingDown
        self._require_place()

    def is_full(self) -> bool:
        """Return whether no slot is free, so that cameras wait; callable from any thread."""
        return self.running >= self.at_once

    def has_waiting(self) -> bool:
        """Return whether requests wait; callable from any thread."""
        return self.waiting > 0

    @asynccontextmanager
    async def turn(self, receive: Receive) -> AsyncIterator[None]:
        """Context manager: wait for a slot and hold it.

        Args:
            receive: the ASGI channel of the request, to notice that its client has gone.

        Raises Overloaded at once if too many requests wait, DeadlineExceeded if the wait is too long, and
        ClientDisconnect if the client has gone before the work starts. Running work is not interrupted.
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
            raise Overloaded(f"{counted(self.waiting, 'request is', 'requests are')} waiting, the most allowed")

    async def _acquire(self, receive: Receive) -> None:
        started = time.perf_counter()
        gone = asyncio.create_task(departure(receive))
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds) as deadline:
                gone.add_done_callback(lambda _: _end(deadline))
                await asyncio.sleep(0)  # notices a client that has already gone, even if a slot is free
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
    """Return once the client has gone. Call it after the body has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _end(deadline: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # the wait is over
        deadline.reschedule(0)
