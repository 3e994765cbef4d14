"""Streams of events: a fake log and fake keys, a real event loop."""

import asyncio
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from app.access.keys import ANONYMOUS, Principal
from app.api.http.event_hub import EventHub
from app.database.outbox import EventKind
from app.errors import DatabaseUnavailable, Overloaded
from app.notify.event_log import EventFilter, LoggedEvent
from app.types import Page

KEY = Principal("door", frozenset(), key_id="k")
ALL = EventFilter()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(position, camera="door"):
    return LoggedEvent(
        position, f"e{position}", EventKind.PERSON_UNKNOWN, f"camera:{camera}", "people", None, {}, NOW, has_image=False
    )


class Log:
    """Holds events, and counts how often it is asked; the first `failures` questions fail."""

    def __init__(self, *events, failures=0):
        self.events = list(events)
        self.asked = 0
        self.failures = failures

    def end(self):
        return self.events[-1].position if self.events else 0

    def page(self, chosen, *, after, limit):
        self.asked += 1
        if self.asked <= self.failures:
            raise DatabaseUnavailable("away")
        found = [each for each in self.events if each.position > after and chosen.includes(each)]
        return Page(found[:limit], found[limit - 1].position if len(found) > limit else None)


def keys(*valid):
    held = set(valid)
    return SimpleNamespace(needs_refresh=lambda _: False, admits=lambda who: who.key_id in held, held=held)


def hub(most=100, *, is_ending=lambda: False, keep=5.0):
    return EventHub(most, is_ending=is_ending, every=0.01, keep=keep)


async def positions(watch, count=None):
    seen: list[int] = []
    with suppress(StopAsyncIteration):
        reading = aiter(watch)
        while count is None or len(seen) < count:
            seen.append((await anext(reading)).position)
    return seen


def within(task):
    return asyncio.wait_for(task, 5)


def opened(own, log, *, chosen=ALL, access=None, who=ANONYMOUS, **options):
    return own.watch(log, chosen, who, access or keys(None, "k"), end=log.end(), **options)


def test_many_watchers_see_new_events_for_one_query_at_a_time():
    async def run():
        log, own = Log(event(1)), hub()
        with ExitStack() as stack:
            watches = [stack.enter_context(opened(own, log)) for _ in range(100)]
            assert len(own) == 100
            reading = [asyncio.create_task(positions(each, 2)) for each in watches]
            await asyncio.sleep(0.1)
            assert 1 <= log.asked <= 11
            log.events += [event(2), event(3)]
            assert await within(asyncio.gather(*reading)) == [[2, 3]] * 100
            assert log.asked <= 25
        await asyncio.sleep(0.05)
        before = log.asked
        await asyncio.sleep(0.05)
        assert log.asked == before  # nobody watches, nothing is asked

    asyncio.run(run())


def test_a_watch_resumes_without_loss_or_repetition():
    async def run():
        log, own = Log(*map(event, range(1, 1201))), hub()
        with opened(own, log, after=3) as watch:
            reading = asyncio.create_task(positions(watch, 1199))
            await asyncio.sleep(0.03)
            log.events += [event(1201), event(1202)]
            assert await within(reading) == list(range(4, 1203))

    asyncio.run(run())


@pytest.mark.parametrize("keep", [0, 5])
def test_a_watch_resumes_while_others_watch(keep):
    async def run():
        log, own = Log(event(1)), hub(keep=keep)
        with opened(own, log) as first:
            reading = asyncio.create_task(positions(first, 4))
            for position in range(2, 6):
                log.events.append(event(position))
                await asyncio.sleep(0.02)
            assert await within(reading) == [2, 3, 4, 5]
            for after in range(6):
                with opened(own, log, after=after) as watch:
                    log.events.append(event(log.end() + 1))
                    expected = list(range(after + 1, log.end() + 1))
                    assert await within(positions(watch, len(expected))) == expected

    asyncio.run(run())


def test_events_that_were_deleted_leave_memory():
    async def run():
        log, own = Log(event(1)), hub(keep=0)
        with opened(own, log) as first:
            log.events.append(event(2))
            assert await within(positions(first, 1)) == [2]
            log.events.pop()  # erased
            await asyncio.sleep(0.05)
            with opened(own, log, after=0) as watch:
                log.events.append(event(3))
                assert await within(positions(watch, 2)) == [1, 3]

    asyncio.run(run())


def test_a_filter_chooses_old_and_new_events():
    async def run():
        log, own = Log(event(1), event(2, "yard"), event(3)), hub()
        with opened(own, log, chosen=EventFilter(camera="yard"), after=0) as watch:
            reading = asyncio.create_task(positions(watch, 2))
            await asyncio.sleep(0.03)
            log.events += [event(4), event(5, "yard")]
            assert await within(reading) == [2, 5]

    asyncio.run(run())


def test_a_position_that_does_not_exist_yet_is_the_end():
    async def run():
        log, own = Log(event(1)), hub()
        with opened(own, log, after=10**12) as watch:  # the database was restored from a backup
            log.events.append(event(2))
            assert await within(positions(watch, 1)) == [2]

    asyncio.run(run())


def test_one_too_many_is_refused_and_a_place_is_free_again():
    async def run():
        log, own = Log(), hub(1)
        with opened(own, log), pytest.raises(Overloaded, match="1 event streams"):
            opened(own, log).__enter__()
        with opened(own, log):
            assert len(own) == 1

    asyncio.run(run())


def test_a_watch_ends_with_its_key_its_time_or_the_service():
    async def run():
        for end in ("key", "time", "service"):
            ending: list[str] = []
            log, own, access = Log(event(1)), hub(is_ending=ending.__len__), keys("k")
            seconds = 0.05 if end == "time" else None
            with opened(own, log, access=access, who=KEY, seconds=seconds) as watch:
                reading = asyncio.create_task(positions(watch))
                await asyncio.sleep(0.02)
                assert not reading.done()
                if end == "service":
                    ending.append(end)
                elif end == "key":
                    access.held.clear()
                assert await within(reading) == []

    asyncio.run(run())


def test_the_time_of_a_watch_ends_while_it_catches_up():
    async def run():
        log, own = Log(*map(event, range(1, 2001))), hub()
        with opened(own, log, after=0, seconds=1e-9) as watch:
            assert await within(positions(watch)) == list(range(1, 501))  # one page: the next watch continues after it

    asyncio.run(run())


def test_a_database_that_is_away_is_asked_again():
    async def run():
        log, own = Log(event(1), failures=3), hub()
        with opened(own, log) as watch:
            log.events.append(event(2))
            assert await within(positions(watch, 1)) == [2]

    asyncio.run(run())
