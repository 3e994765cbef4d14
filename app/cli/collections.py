"""`arcid collections`: isolated galleries."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.output import show
from app.cli.serve import prepare_database
from app.config import read_settings
from app.factory.networks import embedder_of
from app.factory.services import open_packs, open_store

cli = typer.Typer(help="Collections: isolated galleries, each bound to one network.", no_args_is_help=True)


@cli.command()
def create(name: Annotated[str, typer.Argument(help="Name of the new collection.")]) -> None:
    """Create a collection for the network of ARCID_PACK; a running service serves it at once."""
    settings = read_settings()
    prepare_database(settings)
    embedder = embedder_of(open_packs(settings).manifest(settings.pack))
    open_store(settings).create_collection(name, model=embedder.model, dimension=embedder.dimension)
    Console().print(f"{name}: created for {embedder.model}", highlight=False)


@cli.command("list")
def list_collections() -> None:
    """List the collections with their networks and the number of faces."""
    store = open_store(read_settings())
    table = Table("collection", "network", "faces", "revision", box=None)
    for each in store.collections():
        table.add_row(each.name, each.model, str(store.face_count(each)), str(each.revision))
    show(table)
