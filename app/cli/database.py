"""`arcid db`: the schema of the database."""

import typer

from app.cli.output import Console
from app.config import read_settings
from app.container import Container
from app.database.scrubbing import Scrubber
from app.gallery.store import uids

cli = typer.Typer(help="The database's schema.", no_args_is_help=True)


@cli.command()
def upgrade() -> None:
    """Bring the database to the schema that this version needs."""
    with Container(read_settings()) as container:
        database = container.database
        database.occupy()  # no restore may replace the file meanwhile
        before = database.schema.current()
        database.schema.upgrade()
        Console().print(f"{before} -> {database.schema.current()}", highlight=False)


@cli.command()
def status() -> None:
    """Print the database's revision and the one that is needed; exit status 1 if they differ."""
    with Container(read_settings()) as container:
        database = container.database
        current, head = database.schema.current(), database.schema.head()
    Console().print(f"database: {current}, needed: {head}", highlight=False)
    if current != head:
        raise typer.Exit(1)


@cli.command()
def renew_uids() -> None:
    """After pg_restore, with every replica stopped: make all indexes of before those of other collections."""
    with Container(read_settings()) as container:
        database = container.database
        database.schema.require_current()
        old = uids.renew(database.engine, restored_from="another tool")
    Console().print(f"{len(old)} collections; their indexes are built anew at the next start", highlight=False)
    if old:
        names = ", ".join(_engine_name(each) for each in old)
        Console().print(f"in Milvus, where it is used, nobody needs any more: {names}", highlight=False, soft_wrap=True)


def _engine_name(uid: str) -> str:
    return f"arcid_{uid.replace('-', '')}"


@cli.command("vacuum-erased")
def vacuum_erased() -> None:
    """Write the tables of personal data anew, so that nothing deleted is left in them; locks them meanwhile."""
    with Container(read_settings()) as container:
        database = container.database
        database.schema.require_current()
        Scrubber(database.engine).rewrite()
        Console().print("faces, identities and enrollments are written anew", highlight=False)
