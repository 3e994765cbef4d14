import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.access.counts import ProcessCounts
from app.access.rates import UNLIMITED, Allowance, Rate, RateLimitStatus, SlidingWindow


@pytest.mark.parametrize("text", ["1/second", "600/minute", "5/hour", "100000/day", "999999999/day", "none"])
def test_a_rate_is_read_and_written(text):
    assert str(Rate.parse(text)) == text


def test_no_limit():
    assert Rate.parse("none") == UNLIMITED


@pytest.mark.parametrize(
    "text",
    ["", "0/minute", "-1/minute", "1/week", "1 / minute", "1/minutes", "01/minute", "1.5/day", "9" * 10 + "/day"],
)
def test_what_is_no_rate(text):
    with pytest.raises(ValueError, match="is not a rate"):
        Rate.parse(text)


def test_the_window_before_counts_by_what_still_overlaps():
    window = SlidingWindow(before=100, before_ends_in=15, current=10, current_ends_in=15)
    assert window.used(Rate(100, 60)) == 35
    assert window.remaining(Rate(100, 60)) == 65
    assert window.free_in(Rate(100, 60)) == 0


def test_a_full_window_frees_one_after_its_end():
    window = SlidingWindow(before=0, before_ends_in=0, current=60, current_ends_in=20)
    assert window.free_in(Rate(60, 60)) == 20
    assert RateLimitStatus.of(Allowance("key", Rate(60, 60), "k"), window, is_allowed=False).reset_s == 21


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


async def window_of(counts, rate):
    before, before_s, current, current_s = await counts.get_sliding_window("k", rate.seconds)
    return SlidingWindow(before, before_s, current, current_s - rate.seconds)


@settings(max_examples=200)
@given(
    st.integers(1, 20),
    st.sampled_from([1, 60, 3600]),
    st.lists(st.floats(0, 0.7), min_size=1, max_size=80),
    st.floats(1e9, 2e9),
)
def test_never_much_more_than_the_rate_and_the_wait_is_true(amount, seconds, steps, start):
    """At most twice the rate in any span of the window's length (the bound of a counter); `free_in` is exact."""
    rate, clock, taken = Rate(amount, seconds), Clock(start), []
    counts = ProcessCounts(clock)

    async def run():
        for step in steps:
            clock.now += step * seconds
            remaining = (await window_of(counts, rate)).remaining(rate)
            is_taken = await counts.acquire_sliding_window_entry("k", amount, seconds)
            assert is_taken == (remaining > 0)
            if is_taken:
                taken.append(clock.now)
                continue
            wait = (await window_of(counts, rate)).free_in(rate)
            assert 0 <= wait <= 2 * seconds
            clock.now += wait + 1e-3 * seconds
            assert await counts.acquire_sliding_window_entry("k", amount, seconds)
            taken.append(clock.now)

    asyncio.run(run())
    for each in taken:
        assert sum(each - seconds < other <= each for other in taken) <= 2 * amount
        window = each // seconds
        assert sum(other // seconds == window for other in taken) <= amount


def test_a_steady_client_gets_its_rate():
    clock = Clock(1e9)
    counts = ProcessCounts(clock)

    async def run():
        taken = 0
        for _ in range(6000):  # ten a second for ten minutes, where one a second is allowed
            clock.now += 0.1
            taken += await counts.acquire_sliding_window_entry("k", 60, 60)
        return taken

    assert 560 <= asyncio.run(run()) <= 660


def test_accounts_that_are_over_are_forgotten():
    clock = Clock(1e9)
    counts = ProcessCounts(clock)

    async def run():
        for number in range(20_000):
            clock.now += 0.01
            await counts.acquire_sliding_window_entry(str(number), 10, 1)

    asyncio.run(run())
    assert len(counts._counts) < 2_000


def test_forgetting():
    counts = ProcessCounts(Clock(1e9))

    async def run():
        for key in ("a", "b", "c"):
            await counts.acquire_sliding_window_entry(key, 1, 60)
        await counts.clear("a")
        await counts.clear_sliding_window("b", 60)
        assert await counts.acquire_sliding_window_entry("a", 1, 60)
        assert not await counts.acquire_sliding_window_entry("c", 1, 60)
        assert await counts.reset() == 2
        assert await counts.check()
        for unused in (counts.incr("a", 1), counts.get("a"), counts.get_expiry("a")):
            with pytest.raises(NotImplementedError):
                await unused

    asyncio.run(run())
