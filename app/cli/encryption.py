"""`arcid keys new-master | rotate-data | rotate-master`: what templates are encrypted with."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import Console
from app.cli.serve import prepare_database
from app.config import read_settings
from app.database.scrubbing import Scrubber
from app.gallery.store.reencryption import Resealing
from app.wiring.keys import read_master, write_master
from app.wiring.projections import Projections
from app.wiring.services import open_database


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
    with open_database(settings) as database:
        database.require_current()
        resealing = Resealing(database.engine, database.vault)
        key = resealing.begin()
        total = resealing.left(key)
        done = sum(resealing.run(key, block))
        deleted = resealing.finish(key)
        Projections(settings, database).erase_plain()
        is_clean = Scrubber(database.engine).scrub()
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
    settings = read_settings()
    with open_database(settings) as database:
        database.require_current()
        count = database.vault.rewrap(read_master(new_key_file))
        Scrubber(database.engine).scrub()
    note = f"{count} data keys are wrapped anew: set ARCID_ENCRYPTION__KEY_FILE={new_key_file} before the next start"
    Console().print(note, highlight=False, soft_wrap=True)
