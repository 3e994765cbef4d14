"""One line of progress: renewed in place on a terminal, otherwise printed every few seconds, as in a log file."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

SECONDS = 15.0  # between lines of a log
_RENEWAL = 0.25  # seconds between renewals on a terminal
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

Count = Callable[[int], None]
"""Takes the number of steps finished since the last call. Several threads may call it at once."""


class ProgressLine:
    """The line of progress of a command. Several threads may use it at once."""

    def __init__(
        self, console: Console, *, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without a line.

        Args:
            console: Where the line is shown.
            seconds: Time between lines of a log. A terminal gets them more often.
            clock: Returns seconds.
        """
        self.clock = clock
        self._console = console
        self._seconds = _RENEWAL if console.is_terminal else seconds
        self._shown = self._start()
        self._live: Live | None = None
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        """Replace the line, unless this is too soon after the last time. In a log, the first line also waits."""
        with self._lock:
            now = self.clock()
            if now - self._shown < self._seconds:
                return
            self._shown = now
            if not self._console.is_terminal:
                self._print(text)
            elif self._live is None:
                self._live = Live(Text(text), console=self._console, transient=True, auto_refresh=False)
                self._live.start(refresh=True)
            else:
                self._live.update(Text(text), refresh=True)

    def note(self, text: str) -> None:
        """Print a line that stays, above the renewed one."""
        with self._lock:
            self._print(text)

    def clear(self) -> None:
        """Remove the renewed line."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
            self._live, self._shown = None, self._start()

    @contextmanager
    def counting(self, what: str, total: int | None = None) -> Iterator[Count]:
        """Show the progress of steps, such as "photos: 1,200 of 3,000, 35/s, 51 s left"."""
        lock, done, started = threading.Lock(), 0, self.clock()

        def count(steps: int) -> None:
            nonlocal done
            with lock:
                done += steps
                seconds = self.clock() - started
            self.show(_counted(what, done, total, seconds))

        try:
            yield count
        finally:
            self.clear()

    def _start(self) -> float:
        """Return the time of an imagined line before the first one: short work leaves no line in a log."""
        return -float("inf") if self._console.is_terminal else self.clock()

    def _print(self, text: str) -> None:
        self._console.print(Text(text), highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: "51 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} d {seconds % _DAY // _HOUR:.0f} h"


def _counted(what: str, done: int, total: int | None, seconds: float) -> str:
    rate = done / seconds if seconds > 0 else 0
    parts = [f"{what}: {done:,}" if total is None else f"{what}: {done:,} of {total:,}"]
    if rate > 0:
        parts.append(f"{rate:,.0f}/s" if rate >= 1 else f"{duration(1 / rate)} each")
        if total is not None:
            parts.append(f"{duration((total - done) / rate)} left")
    return ", ".join(parts)
