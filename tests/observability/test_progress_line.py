import io

import pytest
from rich.console import Console

from app.observability.progress_line import ProgressLine, duration


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def shown():
    return io.StringIO()


def test_a_log_gets_a_line_every_few_seconds(shown):
    clock = Clock()
    line = ProgressLine(Console(file=shown, width=40), seconds=15, clock=clock)
    for _ in range(40):
        line.show(f"second {clock.now:.0f}, a line that is longer than the console is wide")
        clock.now += 1
    line.note("done")
    assert [text.split(",")[0] for text in shown.getvalue().splitlines()] == [
        "second 115",
        "second 130",
        "done",
    ]


def test_a_terminal_has_one_line_that_is_renewed(shown):
    clock = Clock()
    line = ProgressLine(Console(file=shown, width=80, force_terminal=True), clock=clock)
    line.show("first")
    line.show("too soon")
    clock.now += 1
    line.show("second")
    line.note("stays")
    line.clear()
    text = shown.getvalue()
    assert "first" in text
    assert "second" in text
    assert "too soon" not in text
    assert "\x1b[2K" in text  # a line is erased
    assert "stays\n" in text


def test_steps_are_counted_with_speed_and_time_left(shown):
    clock = Clock()
    line = ProgressLine(Console(file=shown, width=80), seconds=10, clock=clock)
    with line.counting("photos", 3000) as advance:
        for _ in range(3):
            clock.now += 10
            advance(500)
    with line.counting("crops") as advance:
        clock.now += 20
        advance(4)
    assert shown.getvalue().splitlines() == [
        "photos: 500 of 3,000, 50/s, 50 s left",
        "photos: 1,000 of 3,000, 50/s, 40 s left",
        "photos: 1,500 of 3,000, 50/s, 30 s left",
        "crops: 4, 5 s each",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (720, "12 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_square_brackets_are_no_markup(shown):
    ProgressLine(Console(file=shown, width=80)).note("[red]a[/b]")
    assert shown.getvalue() == "[red]a[/b]\n"
