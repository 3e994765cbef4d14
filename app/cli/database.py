"""`arcid db`: the schema of the database."""

import typer
from rich.console import Console

from app.config import read_settings
from app.factory.services import open_database

cli = typer.Typer(help="The database's schema.", no_args_is_help=True)


@cli.command()
def upgrade() -> None:
    """Bring the database to the schema that this version needs."""
    with open_database(read_settings()) as database:
        before = database.schema.current()
        database.schema.upgrade()
        Console().print(f"{before} -> {database.schema.current()}", highlight=False)


@cli.command()
def status() -> None:
    """Print the database's revision and the one that is needed; exit status 1 if they differ."""
    with open_database(read_settings()) as database:
        current, head = database.schema.current(), database.schema.head()
    Console().print(f"database: {current}, needed: {head}", highlight=False)
    if current != head:
        raise typer.Exit(1)
