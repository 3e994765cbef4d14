"""Progress of commands that count photos or other items."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.cli.output import Console
from app.observability.progress_line import Count, ProgressLine


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Count]:
    """Show progress on standard error; yield a function that advances it."""
    with ProgressLine(Console(stderr=True)).counting(what, total) as advance:
        yield advance
