"""How the command line prints tables: never cut, also where the output is no terminal."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def show(table: Table) -> None:
    """Print a table as wide as it needs to be; a terminal wraps what does not fit."""
    console = Console()
    needed = Measurement.get(console, console.options.update(width=10_000), table).maximum
    Console(width=max(console.width, needed)).print(table, highlight=False, soft_wrap=True)
