"""How the command line prints tables (never cut, also where the output is not a terminal) and draws."""

import os
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def show(table: Table) -> None:
    """Print a table as wide as it needs to be; a terminal wraps what does not fit."""
    console = Console()
    needed = Measurement.get(console, console.options.update(width=10_000), table).maximum
    Console(width=max(console.width, needed)).print(table, highlight=False, soft_wrap=True)


def keep_fonts_in(data_dir: Path) -> None:
    """Make Matplotlib keep its list of fonts in the data folder instead of HOME; call it before the first import."""
    os.environ.setdefault("MPLCONFIGDIR", str(data_dir / "matplotlib"))
