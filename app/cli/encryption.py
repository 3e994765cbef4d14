"""`arcid keys new-master | rotate-data | rotate-master`: what templates are encrypted with."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import Console
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.database.master_key_file import read_master, write_master
from app.gallery.store.reencryption import Resealing


def new_master(file: Annotated[Path, typer.Argument(help="The new file; only its owner may read it.")]) -> None:
    """Write a new master key. Whoever has it and the database reads all templates; without it nobody does."""
    master = write_master(file)
    note = f"{file}: master key {master.fingerprint}; keep a copy in another place than the database's backups"
    Console().print(note, highlight=False, soft_wrap=True)


def rotate_data(
    block: Annotated[int, typer.Option(min=1, max=10_000, help="Rows in one transaction.")] = 500,
) -> None:
    """Encrypt everything with a new data key, while the service runs, and delete the old ones.

    What was cut off before is finished first, with the key that was new then; what is in plain yet is encrypted.
    After that the database is closed: rows in plain, or not bound to their owner, are refused.
    """
    settings = read_settings()
    prepare_database(settings)
    with Container(settings) as container:
        database = container.current_database
        resealing = Resealing(database.engine, database.vault)
        key = resealing.begin()
        total = resealing.left(key)
        done = sum(resealing.run(key, block))
        deleted = resealing.finish(key)
        container.projections.erase_plain()
        is_clean = container.scrubber.scrub()
        is_closed = database.vault.is_closed
    state = "closed: rows in plain are refused" if is_closed else "NOT closed yet: rows came meanwhile, run it again"
    said = f"{done} of {total} rows encrypted with data key {key}; deleted data keys: {len(deleted)}; {state}"
    Console().print(said, highlight=False, soft_wrap=True)
    for each in resealing.refused:
        note = f"left as it is: {each.table}, face {each.face_id} of {each.collection}: {each.why}"
        Console(stderr=True).print(note, highlight=False, soft_wrap=True)
    if not is_clean:
        Console(stderr=True).print("old pages go from the write-ahead log when its readers have gone", soft_wrap=True)


def rotate_master(
    new_key_file: Annotated[Path, typer.Option(help="File of the other master key: arcid keys new-master FILE.")],
) -> None:
    """Wrap all data keys with another master key; then name it in the settings. Running services go on until then."""
    with Container(read_settings()) as container:
        count = container.current_database.vault.rewrap(read_master(new_key_file))
        container.scrubber.scrub()
    note = f"{count} data keys are wrapped anew: set ARCID_ENCRYPTION__KEY_FILE={new_key_file} before the next start"
    Console().print(note, highlight=False, soft_wrap=True)
