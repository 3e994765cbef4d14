"""`arcid keys new-master | rotate-data | rotate-master`: the keys that encrypt templates."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import Console
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.database.master_key_file import read_master, write_master
from app.gallery.store.reencryption import Reencryption
from app.observability.counted import counted


def new_master(file: Annotated[Path, typer.Argument(help="File to create; only its owner can read it.")]) -> None:
    """Write a new master key. With it and the database, anyone can read all templates; without it, nobody can."""
    master = write_master(file)
    note = f"{file}: master key {master.fingerprint}; keep a copy, but not with the database's backups"
    Console().print(note, highlight=False, soft_wrap=True)


def rotate_data(
    block: Annotated[int, typer.Option(min=1, max=10_000, help="Rows per transaction.")] = 500,
) -> None:
    """Encrypt all personal data with a new data key, while the service runs, and delete the old keys.

    An interrupted run is finished first, with its own new key. Unencrypted rows are encrypted. Then the database is
    closed: rows that are unencrypted, or not bound to their owner, are refused.
    """
    settings = read_settings()
    prepare_database(settings)
    with Container(settings) as container:
        database = container.current_database
        resealing = Reencryption(database.engine, database.vault)
        key = resealing.begin()
        total = resealing.left(key)
        done = sum(resealing.run(key, block))
        deleted = resealing.finish(key)
        container.projections.purge_plain()
        is_clean = container.scrubber.scrub()
        is_closed = database.vault.is_closed
    state = "closed: unencrypted rows are refused" if is_closed else "NOT closed yet: new rows arrived, run it again"
    said = (
        f"{done} of {counted(total, 'row')} encrypted with data key {key}; deleted data keys: {len(deleted)}; {state}"
    )
    Console().print(said, highlight=False, soft_wrap=True)
    for each in resealing.refused:
        note = f"left unchanged: {each.table}, face {each.face_id} of {each.collection}: {each.why}"
        Console(stderr=True).print(note, highlight=False, soft_wrap=True)
    if not is_clean:
        Console(stderr=True).print("old pages stay in the write-ahead log until its readers finish", soft_wrap=True)


def rotate_master(
    new_key_file: Annotated[Path, typer.Option(help="File of the new master key: arcid keys new-master FILE.")],
) -> None:
    """Wrap all data keys with a new master key. Then name it in the settings; running services keep working."""
    with Container(read_settings()) as container:
        count = container.current_database.vault.rewrap(read_master(new_key_file))
        container.scrubber.scrub()
    note = (
        f"{count} data keys are wrapped with the new master key: set ARCID_ENCRYPTION__KEY_FILE={new_key_file} "
        "before the next start"
    )
    Console().print(note, highlight=False, soft_wrap=True)
