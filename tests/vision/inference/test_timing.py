from itertools import count, cycle

import pytest

from app.vision.inference.timing import time_ratio


class FakeClock:
    """CPU time that passes only by work."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, *seconds: float):
        """Return work that takes each of these times in turn."""
        durations = cycle(seconds)

        def spend(_item: object) -> None:
            self.now += next(durations)

        return spend


def test_the_ratio_is_that_of_the_medians():
    clock = FakeClock()
    slow_once = clock.work(4, 4, 4, 4, 1000)
    assert time_ratio(slow_once, clock.work(3), ["face"], clock=clock) == pytest.approx(3 / 4)


def test_the_first_turns_do_not_count():
    clock = FakeClock()
    assert time_ratio(clock.work(4), clock.work(900, 900, *[2] * 40), ["face"], clock=clock) == pytest.approx(0.5)


def test_both_get_all_items_in_turns():
    seen: list[tuple[str, int]] = []
    time_ratio(lambda n: seen.append(("old", n)), lambda n: seen.append(("new", n)), [1, 2], clock=count().__next__)
    assert seen[:6] == [("old", 1), ("new", 1), ("old", 2), ("new", 2), ("old", 1), ("new", 1)]
    assert len(seen) == 84


@pytest.mark.parametrize(("seconds", "rounds"), [(0, 7), (16, 8), (17, 9), (1000, 42)])
def test_a_limit_ends_it_after_seven_turns_at_the_earliest(seconds, rounds):
    clock = FakeClock()
    time_ratio(clock.work(1), clock.work(1), ["face"], most_seconds=seconds, clock=clock)
    assert clock.now == 2 * rounds
