"""A progress bar of commands that count photos or other items."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import rich.progress

from app.cli.output import Console


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error; yield a function that advances it."""
    with rich.progress.Progress(console=Console(stderr=True), transient=True) as bar:
        yield partial(bar.advance, bar.add_task(what, total=total))
