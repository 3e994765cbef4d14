"""`arcid backup`, `arcid restore`: the embedded database in a file."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import Console
from app.cli.progress import progress_bar
from app.config import read_settings
from app.container import Container
from app.database.sqlite_files import sqlite_file
from app.observability.counted import counted
from app.transfer.backup import back_up
from app.wiring.storage import database_url, open_restore


def backup(file: Annotated[Path, typer.Argument(help="The backup to write.")]) -> None:
    """Write the embedded database and the calibrations to a file, even while the service runs."""
    settings = read_settings()
    sqlite_file(database_url(settings))  # refuse PostgreSQL before connecting to it
    with Container(settings) as container:
        container.database.occupy()
        with progress_bar("backup") as bar:
            done = back_up(container.database, settings.data_dir, file, bar)
    _print(f"{file}: {file.stat().st_size:,} bytes, schema {done.revision}")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `arcid backup` wrote.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace the database without asking.")] = False,
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="Keep the previous database next to the new one.")
    ] = False,
    keep_keys: Annotated[
        bool, typer.Option("--keep-keys", help="Keep API keys that the backup has and the replaced database lacks.")
    ] = False,
) -> None:
    """Replace the embedded database with a backup. Stop the service first.

    API keys that are revoked or missing in the replaced database are revoked. People who were erased since the
    backup are erased again.
    """
    settings = read_settings()
    work = open_restore(settings)
    if work.database.exists() and not yes:
        typer.confirm(f"Replace {work.database}, including everything enrolled since the backup?", abort=True)
    with progress_bar("restore") as bar:
        done = work.run(file, bar, is_old_kept=keep_old, are_keys_kept=keep_keys)
    _print(
        f"{work.database}: {counted(done.collections, 'collection')}, as at {done.backup.created_at:%Y-%m-%d %H:%M:%SZ}"
    )
    carried = done.carried
    _print(f"API keys revoked: {carried.revoked} (revoked since the backup, or missing in the replaced database)")
    if carried.has_followed:
        _print(
            f"erased again: {counted(carried.erased, 'person', 'people')} erased since the backup; "
            f"consent terms renewed: {carried.terms}"
        )
    else:
        _print("people erased since the backup are unknown: erase them again (docs/operations.md)")
    if done.old is not None:
        _print(f"previous database: {done.old}")


def _print(line: str) -> None:
    Console().print(line, highlight=False, soft_wrap=True)
