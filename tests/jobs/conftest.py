import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from app.jobs.job import NewJob
from app.jobs.leases import Leases
from app.jobs.runner import JobRunner
from app.jobs.store import JobStore


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def new_job(
    kind: str = "count", *, collection: str | None = "people", place: str | None = None, **parameters
) -> NewJob:
    return NewJob(str(uuid4()), kind, collection, parameters, place)


@pytest.fixture
def jobs(engine) -> JobStore:
    return JobStore(engine)


@pytest.fixture
def leases(engine):
    """Leases of a process: leases("one", seconds=30)."""

    def leases(owner: str = "one", *, place: str = "here", seconds: float = 30) -> Leases:
        return Leases(engine, owner=owner, place=place, lease=timedelta(seconds=seconds))

    return leases


@pytest.fixture
def started(jobs, leases):
    """Start a runner of these kinds; all are stopped in the end."""
    running: list[JobRunner] = []

    def started(kinds, owner: str = "one", *, tidied=None) -> JobRunner:
        runner = JobRunner(
            jobs,
            leases(owner, seconds=2),
            kinds,
            lease_seconds=2,
            keep=timedelta(days=1),
            tidy=(tidied if tidied is not None else []).append,
            every=0.02,
        )
        runner.start()
        running.append(runner)
        return runner

    yield started
    for each in running:
        each.stop()
