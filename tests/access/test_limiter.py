import asyncio
import socket
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.access.limiter import Limiter, Redis
from app.access.rates import Allowance, Rate
from app.errors import RatesUnavailable, SettingsInvalid
from tests.redis import redis_at, redis_url


@pytest.fixture(params=["memory", "redis"])
def storage(request):
    return None if request.param == "memory" else redis_url()


@asynccontextmanager
async def limiter(url=None, *, within_s=5, **options):
    # Patient: the machine may be busy, and not the storage away.
    made = Limiter(Redis(url, answer_within_s=within_s) if url else None, **options)
    try:
        yield made
    finally:
        await made.close()


def allowance(amount, seconds=3600, name="key", account=None):
    return Allowance(name, Rate(amount, seconds), account or uuid4().hex)


async def served(made, allowances, times):
    return [all(each.is_allowed for each in await made.take(allowances)) for _ in range(times)]


def test_as_many_as_the_rate_says(storage):
    async def run():
        async with limiter(storage) as made:
            wanted = [allowance(3)]
            standings = [(await made.take(wanted))[0] for _ in range(5)]
        assert [each.is_allowed for each in standings] == [True, True, True, False, False]
        assert [each.remaining for each in standings] == [2, 1, 0, 0, 0]
        assert all(0 < each.reset_s <= 3601 for each in standings)
        # A whole window of three: the first comes free when a third of the next one is over, at most.
        assert standings[-1].reset_s >= standings[0].reset_s - 1

    asyncio.run(run())


def test_accounts_do_not_know_each_other(storage):
    async def run():
        async with limiter(storage) as made:
            for _ in range(3):
                assert await served(made, [allowance(1)], 2) == [True, False]

    asyncio.run(run())


def test_a_rate_that_refuses_takes_nothing_from_the_quota(storage):
    async def run():
        async with limiter(storage) as made:
            rate, quota = allowance(2), allowance(3, 86_400, "quota")
            assert await served(made, [rate, quota], 4) == [True, True, False, False]
            (standing,) = await made.take([quota])
            assert (standing.is_allowed, standing.remaining) == (True, 0)
            refused = await made.take([allowance(5), quota])
            assert [each.is_allowed for each in refused] == [True, False]

    asyncio.run(run())


def test_nothing_to_count_costs_nothing():
    async def run():
        async with limiter("redis://127.0.0.1:1") as made:
            assert await made.take([]) == []

    asyncio.run(run())


def test_many_at_once_get_exactly_the_rate(storage):
    async def run():
        async with limiter(storage) as made:
            wanted = [allowance(50)]
            taken = await asyncio.gather(*(made.take(wanted) for _ in range(200)))
        assert sum(each[0].is_allowed for each in taken) == 50

    asyncio.run(run())


def test_time_gives_back(storage):
    async def run():
        async with limiter(storage) as made:
            wanted = [allowance(2, 1)]
            while (await made.take(wanted))[0].is_allowed:
                pass
            (refused,) = await made.take(wanted)
            await asyncio.sleep(refused.reset_s)
            assert (await made.take(wanted))[0].is_allowed

    asyncio.run(run())


def test_two_processes_share_a_rate():
    async def run():
        async with limiter(redis_url()) as one, limiter(redis_url()) as other:
            wanted = [allowance(4)]
            assert await served(one, wanted, 3) == [True] * 3
            assert await served(other, wanted, 3) == [True, False, False]
            assert await served(one, wanted, 1) == [False]

    asyncio.run(run())


def dead_address():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"redis://:secret@127.0.0.1:{found.getsockname()[1]}"


@pytest.mark.parametrize("is_refused", [False, True])
def test_without_redis_each_counts_alone_or_refuses(is_refused):
    away = []

    async def run():
        options = {"is_refused_when_away": is_refused, "was_away": lambda: away.append(1)}
        async with limiter(dead_address(), **options) as made:
            wanted = [allowance(2)]
            if is_refused:
                for _ in range(3):
                    with pytest.raises(RatesUnavailable):
                        await made.take(wanted)
            else:
                assert await served(made, wanted, 3) == [True, True, False]

    with capture_logs() as lines:
        asyncio.run(run())
    assert [each["event"] for each in lines] == ["rates.storage_away"]
    assert len(away) == 3
    assert "secret" not in repr(lines)


def test_a_server_that_never_answers_is_not_waited_for_each_time():
    async def run():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with limiter(f"redis://127.0.0.1:{silent.getsockname()[1]}", within_s=0.25) as made:
                started = time.monotonic()
                assert await served(made, [allowance(20)], 20) == [True] * 20
                assert time.monotonic() - started < 1.5

    asyncio.run(run())


def test_redis_may_go_and_come_back():
    async def run(folder):
        now = 0.0
        with redis_at(folder) as (url, start, stop):
            async with limiter(url, clock=lambda: now) as made:
                wanted = [allowance(3)]
                assert await served(made, wanted, 2) == [True, True]
                stop()
                assert await served(made, wanted, 4) == [True, True, True, False]  # alone
                start()
                assert await served(made, wanted, 1) == [False]  # not asked yet
                now += 2
                assert await served(made, wanted, 4) == [True, True, True, False]  # it kept nothing

    with capture_logs() as lines, tempfile.TemporaryDirectory(prefix="arcid-") as folder:
        asyncio.run(run(Path(folder)))
    assert [each["event"] for each in lines] == ["rates.storage_away", "rates.storage_back"]


@pytest.mark.parametrize("url", ["", "redis", "http://x", "memcached://x:secret@y"])
def test_an_address_that_is_none(url):
    with pytest.raises(SettingsInvalid, match=r"^ARCID_RATES__STORAGE: use redis://") as raised:
        Redis(url)
    assert "secret" not in str(raised.value)


def test_without_the_extra_it_is_told_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(SettingsInvalid, match=r"arcid\[redis\]"):
        Redis("redis://x")
