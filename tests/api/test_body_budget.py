import asyncio

import pytest

from app.api.http.body_budget import BodyBudget
from app.errors import BodyTooLarge, BodyTooSlow, Overloaded


def body_budget(**limits):
    return BodyBudget(**({"body_bytes": 100, "bodies_bytes": 150, "read_seconds": 5} | limits))


def sent(*parts, then=None):
    """Return a `receive`: parts of a body, then what `then` does, or the client leaves."""
    left = list(parts)

    async def receive():
        if left:
            return {"type": "http.request", "body": b"x" * left.pop(0), "more_body": bool(left) or then is not None}
        if then is not None:
            await then()
        return {"type": "http.disconnect"}

    return receive


async def read(receive):
    while (await receive()).get("more_body"):
        pass


def test_bytes_are_held_until_the_request_is_done():
    async def run():
        bodies = body_budget()
        with bodies.limited(sent(60, 20), "") as first:
            await read(first)
            with bodies.limited(sent(50), "50") as second:
                await read(second)
                assert bodies.held == 130
            assert bodies.held == 80
        assert bodies.held == 0

    asyncio.run(run())


@pytest.mark.parametrize("announced", ["", "many", "99"])
def test_a_body_is_cut_at_its_limit_whatever_was_announced(announced):
    async def run():
        bodies = body_budget()
        with bodies.limited(sent(60, 41, 60), announced) as receive:
            with pytest.raises(BodyTooLarge):
                await read(receive)
            assert bodies.held == 60
        assert bodies.held == 0

    asyncio.run(run())


def test_what_is_announced_is_refused_unread():
    bodies = body_budget()
    with pytest.raises(BodyTooLarge), bodies.limited(sent(), "101"):
        pass


def test_all_bodies_together_have_a_limit():
    async def run():
        bodies = body_budget()
        with bodies.limited(sent(100), "100") as first:
            await read(first)
            with pytest.raises(Overloaded), bodies.limited(sent(), "51"):
                pass
            with bodies.limited(sent(40, 20), "") as second, pytest.raises(Overloaded):
                await read(second)
            assert bodies.held == 100
            with bodies.limited(sent(0), "0") as empty:
                await read(empty)
        assert bodies.held == 0

    asyncio.run(run())


def test_one_body_may_always_come():
    async def run():
        bodies = body_budget(bodies_bytes=1)
        with bodies.limited(sent(100), "100") as receive:
            await read(receive)

    asyncio.run(run())


def test_a_body_that_dawdles_is_cut_and_the_wait_for_the_answer_is_not():
    async def run():
        bodies = body_budget(read_seconds=0.05)

        async def dawdle():
            await asyncio.sleep(5)

        with bodies.limited(sent(1, 1, then=dawdle), "") as receive, pytest.raises(BodyTooSlow):
            await read(receive)
        with bodies.limited(sent(1), "") as receive:
            await read(receive)
            await asyncio.sleep(0.1)
            assert (await receive())["type"] == "http.disconnect"

    asyncio.run(run())
