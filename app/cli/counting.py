"""Progress of commands that count photos or other items."""

from contextlib import AbstractContextManager

from app.cli.output import Console
from app.observability.progress_line import Count, ProgressLine


def counting(what: str, total: int | None = None) -> AbstractContextManager[Count]:
    """Show progress on standard error; the context is a function that advances it."""
    return ProgressLine(Console(stderr=True)).counting(what, total)
