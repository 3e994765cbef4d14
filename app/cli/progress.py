"""A progress bar for long work, followed by a list of refused items."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import rich.progress

from app.cli.output import Console
from app.observability.printable import one_line

_SHOWN = 20


class Bar:
    """Progress of a command in the foreground: it has no checkpoint, and only Ctrl-C cancels it."""

    def __init__(self, bar: rich.progress.Progress, what: str) -> None:
        self.refused = 0
        self.refusals: list[str] = []
        self._bar = bar
        self._task = bar.add_task(what, total=None)

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """See `app.jobs.progress.Progress`."""
        return {}

    def advance(self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:
        """See `app.jobs.progress.Progress`."""
        del checkpoint
        self._bar.update(self._task, completed=done, total=total)

    def refuse(self, item: str, code: str, detail: str) -> None:
        """See `app.jobs.progress.Progress`."""
        self.refused += 1
        if len(self.refusals) < _SHOWN:
            self.refusals.append(f"{item}: {code}: {detail}")


@contextmanager
def progress_bar(what: str) -> Iterator[Bar]:
    """Show a bar on standard error during the work, and then the refused items."""
    console = Console(stderr=True)
    columns = (*rich.progress.Progress.get_default_columns(), rich.progress.MofNCompleteColumn())
    with rich.progress.Progress(*columns, console=console) as shown:
        bar = Bar(shown, what)
        yield bar
    for line in bar.refusals:
        console.print(one_line(line), highlight=False, soft_wrap=True)
    if bar.refused > len(bar.refusals):
        console.print(f"... and {bar.refused - len(bar.refusals)} more", highlight=False)
