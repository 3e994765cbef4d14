"""Streams of events: one query for all watchers of a process, and no more watchers than are allowed.

A task reads the new events and keeps them in memory for seconds. Watchers that are up to date read from there. One that
resumes at an older position reads pages of the database until it has caught up. So no event is lost or repeated, and
memory holds no events of people who were erased earlier.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from anyio import to_thread

from app.access.key_cache import Access
from app.access.keys import Principal
from app.errors import DatabaseError, Overloaded
from app.notify.event_log import EventFilter, LoggedEvent
from app.types import Page

_LOOK_EVERY_S = 0.5
_AT_ONCE = 500
_KEEP_S = 5.0


class Events(Protocol):
    """Source of events."""

    def end(self) -> int:
        """Return the position of the newest event."""
        ...

    def page(self, chosen: EventFilter, *, after: int, limit: int) -> Page[LoggedEvent]:
        """Return events after a position."""
        ...


class EventWatch:
    """One watcher: yields the chosen events after a position.

    It ends when the watcher's key is revoked or expired, its time is over, or the service stops.
    """

    def __init__(
        self, hub: "EventHub", events: Events, chosen: EventFilter, principal: Principal, *, after: int, until: float
    ) -> None:
        """`until`: when to end, on the clock of the event loop."""
        self.principal = principal
        self._hub = hub
        self._events = events
        self._chosen = chosen
        self._after = after
        self._until = until
        self._is_over = False
        self._moved = asyncio.Event()

    def wake(self) -> None:
        """Wake the watch: there may be new events."""
        self._moved.set()

    def end(self) -> None:
        """End the watch."""
        self._is_over = True
        self._moved.set()

    async def __aiter__(self) -> AsyncIterator[LoggedEvent]:
        while not self._is_over:
            self._moved.clear()
            new = self._hub.since(self._after)
            if new is None:
                new = await self._older()
            elif not new:
                if not await self._wait():
                    return
                continue
            for event in new:
                if self._is_over:
                    return
                self._after = event.position or self._after
                if self._chosen.includes(event):
                    yield event
            if asyncio.get_running_loop().time() >= self._until:  # also if events come faster than they are read
                return

    async def _wait(self) -> bool:
        """Wait until something may have changed; return False at the end of the watcher's time."""
        left = self._until - asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self._moved.wait(), None if left == float("inf") else max(left, 0))
        except TimeoutError:
            return False
        return True

    async def _older(self) -> Sequence[LoggedEvent]:
        """Return the next chosen events from the database; after the last page, continue at the hub's end."""
        end = self._hub.end
        page = await to_thread.run_sync(lambda: self._events.page(self._chosen, after=self._after, limit=_AT_ONCE))
        if page.after is None and not page.items:
            self._after = max(self._after, end)
        return page.items


class EventHub:
    """All watches of a process, for one event loop."""

    def __init__(
        self, most: int, *, is_ending: Callable[[], bool], every: float = _LOOK_EVERY_S, keep: float = _KEEP_S
    ) -> None:
        """Return an empty set of watches.

        Args:
            most: how many watches may be open at once.
            is_ending: whether the service stops, so that watches end.
            every: seconds between two queries.
            keep: seconds for which events stay in memory.
        """
        self.most = most
        self.end = 0
        """Position up to which events were read."""
        self._is_ending = is_ending
        self._every = every
        self._open: set[EventWatch] = set()
        self._keep = keep
        self._latest: deque[tuple[int, float, LoggedEvent]] = deque()
        self._polling: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def since(self, position: int) -> Sequence[LoggedEvent] | None:
        """Return the events after a position; None if memory does not reach so far back."""
        if position < (self._latest[0][0] - 1 if self._latest else self.end):
            return None
        return [event for at, _, event in self._latest if at > position]

    @contextmanager
    def watch(
        self,
        events: Events,
        chosen: EventFilter,
        principal: Principal,
        access: Access,
        *,
        end: int,
        after: int | None = None,
        seconds: float | None = None,
    ) -> Iterator[EventWatch]:
        """Open a watch of the chosen events after a position, for at most `seconds`.

        `end` is the current result of `events.end`. It is where a watch starts without `after`, or with a later one,
        as after the restore of a backup. Raises Overloaded if as many are open as may be.
        """
        if len(self._open) >= self.most:
            raise Overloaded(f"{self.most} event streams are open, the most allowed; page through /events instead")
        until = float("inf") if seconds is None else asyncio.get_running_loop().time() + seconds
        start = end if after is None else min(after, end)
        watch = EventWatch(self, events, chosen, principal, after=start, until=until)
        self._open.add(watch)
        if self._polling is None or self._polling.done():
            self._latest.clear()
            self.end = end
            self._polling = asyncio.create_task(self._poll(events, access))
        try:
            yield watch
        finally:
            self._open.discard(watch)

    async def _poll(self, events: Events, access: Access) -> None:
        while self._open:
            is_behind = False
            with suppress(DatabaseError):  # the next query may succeed
                if access.needs_refresh(None):
                    await to_thread.run_sync(access.refresh)
                page = await to_thread.run_sync(lambda: events.page(EventFilter(), after=self.end, limit=_AT_ONCE))
                self._remember(page.items)
                is_behind = page.after is not None
                for each in tuple(self._open):
                    if self._is_ending() or not access.admits(each.principal):
                        each.end()
                    elif page.items:
                        each.wake()
            if not is_behind:
                await asyncio.sleep(self._every)

    def _remember(self, new: Sequence[LoggedEvent]) -> None:
        now = asyncio.get_running_loop().time()
        while self._latest and self._latest[0][1] < now - self._keep:
            self._latest.popleft()
        for event in new:
            self.end = event.position or self.end
            self._latest.append((self.end, now, event))
