"""`arcid db`: the schema of the database."""

import typer

from app.cli.data_folder import prepare_data_folder
from app.cli.output import Console
from app.config import read_settings
from app.container import Container
from app.database.scrubbing import Scrubber
from app.gallery.store import uids
from app.observability.counted import counted
from app.wiring.storage import create_own_key, is_embedded

cli = typer.Typer(help="Show and upgrade the schema of the database.", no_args_is_help=True)


@cli.command()
def upgrade() -> None:
    """Upgrade the database to the schema that this version needs."""
    settings = read_settings()
    if is_embedded(settings):
        prepare_data_folder(settings)
        create_own_key(settings)
    with Container(settings) as container:
        database = container.database
        database.occupy()  # so that no restore replaces the file
        before = database.schema.current()
        database.schema.upgrade()
        Console().print(f"{before} -> {database.schema.current()}", highlight=False)


@cli.command()
def status() -> None:
    """Print the database's revision and the required one; exit status 1 if they differ."""
    with Container(read_settings()) as container:
        database = container.database
        current, head = database.schema.current(), database.schema.head()
    Console().print(f"database: {current}, needed: {head}", highlight=False)
    if current != head:
        raise typer.Exit(1)


@cli.command()
def renew_uids() -> None:
    """Make all replicas rebuild their indexes. Run it after pg_restore, while every replica is stopped."""
    with Container(read_settings()) as container:
        database = container.database
        database.schema.require_current()
        old = uids.renew(database.engine, restored_from="another tool")
    Console().print(f"{counted(len(old), 'collection')}; their indexes are rebuilt at the next start", highlight=False)
    if old:
        names = ", ".join(_engine_name(each) for each in old)
        Console().print(f"unused in Milvus from now on: {names}", highlight=False, soft_wrap=True)


def _engine_name(uid: str) -> str:
    return f"arcid_{uid.replace('-', '')}"


@cli.command("vacuum-erased")
def vacuum_erased() -> None:
    """Rewrite the tables with personal data, to purge deleted data from the files. The tables are locked."""
    with Container(read_settings()) as container:
        database = container.database
        database.schema.require_current()
        Scrubber(database.engine).rewrite()
        Console().print("the tables with personal data are rewritten", highlight=False)
