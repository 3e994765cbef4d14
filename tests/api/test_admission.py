import asyncio

import pytest
from starlette.requests import ClientDisconnect

from app.api.http.admission import Admission
from app.errors import DeadlineExceeded, Overloaded, ShuttingDown


class Client:
    """A request whose body has been read; the next message is its disconnection."""

    def __init__(self):
        self._left = asyncio.Event()

    def leave(self):
        self._left.set()

    async def receive(self):
        await self._left.wait()
        return {"type": "http.disconnect"}


class Work:
    """Requests that run until the test ends them."""

    def __init__(self, **limits):
        self.waits: list[float] = []
        settings = {"at_once": 2, "most_waiting": 3, "wait_seconds": 10} | limits
        self.admission = Admission(settings.pop("at_once"), waited=self.waits.append, **settings)
        self.begun = []
        self.end = asyncio.Event()

    def start(self, name, client=None):
        async def work():
            async with self.admission.turn((client or Client()).receive):
                self.begun.append(name)
                await self.end.wait()
            return name

        return asyncio.create_task(work())


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


def test_some_work_some_wait_the_rest_is_refused_at_once():
    async def run():
        work = Work()
        requests = [work.start(number) for number in range(20)]
        await settled()
        assert (work.admission.running, work.admission.waiting, work.begun) == (2, 3, [0, 1])
        assert [each.done() for each in requests] == [False] * 5 + [True] * 15
        for each in requests[5:]:
            with pytest.raises(Overloaded):
                each.result()
        with pytest.raises(Overloaded):
            work.admission.require_room()
        work.end.set()
        assert list(await asyncio.gather(*requests[:5])) == work.begun == [0, 1, 2, 3, 4]
        assert (work.admission.running, work.admission.waiting, len(work.waits)) == (0, 0, 5)
        work.admission.require_room()

    asyncio.run(run())


def test_nobody_may_wait():
    async def run():
        work = Work(most_waiting=0)
        requests = [work.start(number) for number in range(3)]
        await settled()
        assert work.begun == [0, 1]
        with pytest.raises(Overloaded):
            await requests[2]
        work.end.set()
        await asyncio.gather(*requests[:2])

    asyncio.run(run())


def test_who_comes_later_does_not_overtake():
    async def run():
        work = Work(at_once=1, most_waiting=100)
        work.end.set()
        requests = [work.start(0)]
        for number in range(1, 60):
            requests.append(work.start(number))
            if number % 7 == 0:
                await asyncio.sleep(0)  # newcomers arrive just as turns become free
        await asyncio.gather(*requests)
        assert work.begun == list(range(60))

    asyncio.run(run())


def test_a_deadline_holds_while_waiting_and_not_afterwards():
    async def run():
        work = Work(at_once=1, wait_seconds=0.05)
        first, second = work.start("first"), work.start("second")
        with pytest.raises(DeadlineExceeded):
            await second
        assert work.admission.waiting == 0
        await asyncio.sleep(0.05)
        assert not first.done()
        work.end.set()
        assert await first == "first"
        assert work.begun == ["first"]

    asyncio.run(run())


def test_who_leaves_while_waiting_frees_the_place_at_once():
    async def run():
        work, client = Work(at_once=1, most_waiting=1), Client()
        first, leaving = work.start("first"), work.start("leaving", client)
        await settled()
        client.leave()
        with pytest.raises(ClientDisconnect):
            await leaving
        third = work.start("third")
        work.end.set()
        assert list(await asyncio.gather(first, third)) == work.begun == ["first", "third"]

    asyncio.run(run())


def test_nothing_is_begun_for_who_has_left_already():
    async def run():
        work, client = Work(), Client()
        client.leave()
        with pytest.raises(ClientDisconnect):
            await work.start("gone", client)
        assert (work.begun, work.admission.running, work.admission.waiting) == ([], 0, 0)

    asyncio.run(run())


def test_a_departure_does_not_interrupt_what_has_begun():
    async def run():
        work, client = Work(), Client()
        request = work.start("begun", client)
        await settled()
        client.leave()
        await settled()
        work.end.set()
        assert await request == "begun"

    asyncio.run(run())


def test_no_turn_is_lost_whoever_is_cancelled_or_leaves_when():
    async def run():
        work = Work(at_once=2, most_waiting=50)
        clients = [Client() for _ in range(40)]
        requests = [work.start(number, client) for number, client in enumerate(clients)]
        await settled()
        work.end.set()  # turns become free in the same moments as others go
        for number in range(2, 40, 3):
            requests[number].cancel()
            clients[number - 1].leave()
            await asyncio.sleep(0)
        await asyncio.gather(*requests, return_exceptions=True)
        assert (work.admission.running, work.admission.waiting) == (0, 0)
        assert list(await asyncio.wait_for(asyncio.gather(work.start("a"), work.start("b")), 1)) == ["a", "b"]

    asyncio.run(run())


def test_draining_refuses_what_is_new_and_finishes_what_was_let_in():
    async def run():
        work = Work(at_once=1)
        first, waiting = work.start("first"), work.start("waiting")
        await settled()
        work.admission.drain()
        with pytest.raises(ShuttingDown):
            work.admission.require_room()
        work.end.set()
        assert list(await asyncio.gather(first, waiting)) == ["first", "waiting"]

    asyncio.run(run())


def test_how_many_work_may_be_said_once_the_networks_are_open():
    async def run():
        work = Work(at_once=1)
        work.admission.resize(3)
        requests = [work.start(number) for number in range(4)]
        await settled()
        assert (work.begun, work.admission.at_once, work.admission.waiting) == ([0, 1, 2], 3, 1)
        work.end.set()
        await asyncio.gather(*requests)

    asyncio.run(run())
