"""Output of the command line: the console, tables that are never truncated, and plots."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table

from app.errors import ReportUnavailable
from app.observability.printable import printable


class Console(rich.console.Console):
    """The console of all commands. Names are printed as text, never as markup or escape sequences."""

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape control characters in everything that is printed."""
        for each in super().render(renderable, options):
            yield each if each.control else Segment(printable(each.text), each.style)


def show(table: Table) -> None:
    """Print a table at its full width; the terminal wraps long lines."""
    console = Console()
    needed = Measurement.get(console, console.options.update(width=10_000), table).maximum
    Console(width=max(console.width, needed)).print(table, highlight=False, soft_wrap=True)


def prepare_matplotlib(data_dir: Path) -> None:
    """Make Matplotlib cache its fonts in the data folder instead of HOME. Call it before the first import.

    Raises ReportUnavailable if Matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise ReportUnavailable("reports need matplotlib, which is not installed here; run: make tools")
    os.environ.setdefault("MPLCONFIGDIR", str(data_dir / "matplotlib"))
