"""Watches of jobs: a fake store and fake keys, a real event loop."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from app.access.keys import ANONYMOUS, Principal
from app.api.http.event_streams import Watches
from app.database.audit import Actor
from app.errors import DatabaseUnavailable, Overloaded
from app.jobs.job import Job, JobState
from app.types import JobKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(JobKey(1), "job", "count", None, {}, JobState.RUNNING, 0, 9, 0, None, None, Actor("me"), 1, NOW, NOW, None)
KEY = Principal("door", frozenset(), key_id="k")


class Jobs:
    """Holds jobs and counts how often it is asked; the first `failures` questions fail."""

    def __init__(self, *jobs, failures=0):
        self.jobs = {each.job_id: each for each in jobs}
        self.asked = 0
        self.failures = failures

    def some(self, job_ids):
        self.asked += 1
        if self.asked <= self.failures:
            raise DatabaseUnavailable("away")
        return {each: self.jobs[each] for each in job_ids if each in self.jobs}


def keys(*valid):
    held = set(valid)
    return SimpleNamespace(needs_refresh=lambda _: False, admits=lambda who: who.key_id in held, held=held)


async def states(watch):
    return [job.done if not job.state.is_final else "end" async for job in watch]


def watches(most=100, *, is_ending=lambda: False):
    return Watches(most, is_ending=is_ending, every=0.01)


def test_many_watchers_cost_one_query_at_a_time():
    async def run():
        jobs, own = Jobs(JOB, replace(JOB, key=JobKey(2), job_id="other")), watches()
        with ExitStack() as stack:
            opened = [
                stack.enter_context(own.watch(jobs.jobs[name], ANONYMOUS, jobs, keys(None)))
                for name in ("job", "other") * 50
            ]
            assert len(own) == 100
            reading = [asyncio.create_task(states(each)) for each in opened]
            await asyncio.sleep(0.1)
            asked = jobs.asked
            assert 1 <= asked <= 11
            for name, job in jobs.jobs.items():
                jobs.jobs[name] = replace(job, state=JobState.SUCCEEDED)
            assert await asyncio.wait_for(asyncio.gather(*reading), 5) == [[0, "end"]] * 100
        assert len(own) == 0
        await asyncio.sleep(0.05)
        before = jobs.asked
        await asyncio.sleep(0.05)
        assert jobs.asked == before  # nobody watches, nothing is asked

    asyncio.run(run())


def test_one_too_many_is_refused_and_a_place_is_free_again():
    async def run():
        jobs, own = Jobs(JOB), watches(1)
        with own.watch(JOB, ANONYMOUS, jobs, keys(None)), pytest.raises(Overloaded, match="1 event streams"):
            own.watch(JOB, ANONYMOUS, jobs, keys(None)).__enter__()
        with own.watch(JOB, ANONYMOUS, jobs, keys(None)):
            assert len(own) == 1

    asyncio.run(run())


def test_a_watch_ends_with_its_key_its_job_or_the_service():
    async def run():
        for end in ("key", "job", "service"):
            ending: list[str] = []
            jobs, own, access = Jobs(JOB), watches(is_ending=ending.__len__), keys("k")
            with own.watch(JOB, KEY, jobs, access) as watch:
                reading = asyncio.create_task(states(watch))
                await asyncio.sleep(0.05)
                assert not reading.done()
                if end == "service":
                    ending.append(end)
                else:
                    {"key": access.held, "job": jobs.jobs}[end].clear()
                assert await asyncio.wait_for(reading, 5) == [0]

    asyncio.run(run())


def test_a_database_that_is_away_is_asked_again():
    async def run():
        jobs, own = Jobs(replace(JOB, state=JobState.SUCCEEDED), failures=3), watches()
        with own.watch(JOB, ANONYMOUS, jobs, keys(None)) as watch:
            assert await asyncio.wait_for(states(watch), 5) == [0, "end"]

    asyncio.run(run())
