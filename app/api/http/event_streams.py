"""Event streams of jobs: one query for all watchers of a process, and no more watchers than are allowed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from anyio import to_thread

from app.access.key_cache import Access
from app.access.keys import Principal
from app.errors import DatabaseError, Overloaded
from app.jobs.job import Job

_LOOK_EVERY_S = 0.5


class Jobs(Protocol):
    """Source of jobs."""

    def some(self, job_ids: Collection[str]) -> Mapping[str, Job]:
        """Return jobs by their ids; a job that is unknown is left out."""
        ...


class Watch:
    """One watcher of a job: yields the job whenever it has moved, and ends after the final state.

    It also ends when the watcher's key is revoked or expired, the job is unknown, or the service stops. A watcher that
    reads slowly gets the newest state and misses those in between.
    """

    def __init__(self, job: Job, principal: Principal) -> None:
        self.job_id = job.job_id
        self.principal = principal
        self._job: Job | None = job
        self._moved = asyncio.Event()
        self._moved.set()

    def show(self, job: Job | None) -> None:
        """Set the newest state; None ends the watch."""
        if job is None or job != self._job:
            self._job = job
            self._moved.set()

    async def __aiter__(self) -> AsyncIterator[Job]:
        while True:
            await self._moved.wait()
            self._moved.clear()
            if (job := self._job) is None:
                return
            yield job
            if job.state.is_final:
                return


class Watches:
    """All watches of a process, for one event loop. A single task queries the database for all watched jobs."""

    def __init__(self, most: int, *, is_ending: Callable[[], bool], every: float = _LOOK_EVERY_S) -> None:
        """Return an empty set of watches.

        Args:
            most: how many watches may be open at once.
            is_ending: whether the service stops, so that watches end.
            every: seconds between two queries.
        """
        self.most = most
        self._is_ending = is_ending
        self._every = every
        self._open: set[Watch] = set()
        self._polling: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def watch(self, job: Job, principal: Principal, jobs: Jobs, access: Access) -> Iterator[Watch]:
        """Open a watch of a job. Raises Overloaded if as many are open as may be."""
        if len(self._open) >= self.most:
            raise Overloaded(f"{self.most} event streams are open, the most allowed; poll the job instead")
        watch = Watch(job, principal)
        self._open.add(watch)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(jobs, access))
        try:
            yield watch
        finally:
            self._open.discard(watch)

    async def _poll(self, jobs: Jobs, access: Access) -> None:
        while self._open:
            await asyncio.sleep(self._every)
            watches = tuple(self._open)
            with suppress(DatabaseError):  # the next query may succeed
                if access.needs_refresh(None):
                    await to_thread.run_sync(access.refresh)
                found = await to_thread.run_sync(jobs.some, {each.job_id for each in watches})
                for each in watches:
                    is_over = self._is_ending() or not access.admits(each.principal)
                    each.show(None if is_over else found.get(each.job_id))
