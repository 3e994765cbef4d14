import pytest
from structlog.testing import capture_logs

from app.wall_clock import WallClock


class Clocks:
    """Two clocks: `set` moves only the wall clock."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.steady = 50.0

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def set(self, seconds: float) -> None:
        self.wall += seconds


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def clock(clocks):
    return WallClock(lambda: clocks.wall, lambda: clocks.steady)


def test_time_that_passes_changes_nothing(clock, clocks):
    with capture_logs() as lines:
        for seconds in (0, 1, 86_400, 86_400 * 400):
            clocks.wait(seconds)
            assert clock.is_settled()
    assert lines == []


def test_corrections_of_up_to_a_minute_are_tolerated(clock, clocks):
    for seconds in (59, -59, 59, -59):
        clocks.set(seconds)
        assert clock.is_settled()


@pytest.mark.parametrize("step", [3600, -3600, 40 * 86_400])
def test_a_clock_that_was_set_settles_for_an_hour(clock, clocks, step):
    clocks.set(step)
    with capture_logs() as lines:
        assert not clock.is_settled()
        clocks.wait(3599)
        assert not clock.is_settled()
        clocks.wait(1)
        assert clock.is_settled()
    assert [(line["event"], line["seconds"]) for line in lines] == [("clock.set", step)]


def test_the_correction_is_a_step_too(clock, clocks):
    clocks.set(86_400)
    assert not clock.is_settled()
    clocks.wait(3000)
    clocks.set(-86_400)
    assert not clock.is_settled()
    clocks.wait(3000)
    assert not clock.is_settled()
    clocks.wait(600)
    assert clock.is_settled()
