"""`arcid db`: the schema of the database."""

import typer
from rich.console import Console

from app.config import read_settings
from app.factory import open_schema

cli = typer.Typer(help="The database's schema.", no_args_is_help=True)


@cli.command()
def upgrade() -> None:
    """Bring the database to the schema that this version needs."""
    engine, schema = open_schema(read_settings())
    before = schema.current()
    schema.upgrade()
    Console().print(f"{before} -> {schema.current()}", highlight=False)
    engine.dispose()


@cli.command()
def status() -> None:
    """Print the database's revision and the one that is needed; exit status 1 if they differ."""
    engine, schema = open_schema(read_settings())
    current, head = schema.current(), schema.head()
    engine.dispose()
    Console().print(f"database: {current}, needed: {head}", highlight=False)
    if current != head:
        raise typer.Exit(1)
