"""`arcid keys first`: create the first key from a file, for automated installations."""

from pathlib import Path
from typing import Annotated

import typer

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.access.secret import id_of
from app.cli.output import Console
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.errors import KeyExists, SettingsInvalid

_NAME = "first"


def first(
    file: Annotated[
        Path, typer.Argument(help="File with the key: arcid_, 8 hexadecimal digits, _, 43 or more characters.")
    ],
) -> None:
    """Create the first key, with scope admin, from a file. Does nothing if a key exists or has existed."""
    settings, console = read_settings(), Console()
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise SettingsInvalid(f"{file} cannot be read: {error}") from error
    key_id = id_of(secret)
    if key_id is None:
        raise SettingsInvalid(f"{file} is not a key: arcid_, 8 of 0-9a-f, _, and 43 to 128 of A-Z, a-z, 0-9, _, -")
    prepare_database(settings)
    with Container(settings) as container:
        is_first = not container.keys.all() and _is_created(container.keys, key_id, secret)
    said = f"{_NAME} ({key_id}): admin; every request needs a key now" if is_first else "there are keys already"
    console.print(said, highlight=False)


def _is_created(keys: KeyStore, key_id: str, secret: str) -> bool:
    """Create the key; return False if another replica was quicker."""
    try:
        keys.create(NewKey(_NAME, [Scope.ADMIN]), (key_id, secret))
    except KeyExists:
        return False
    return True
