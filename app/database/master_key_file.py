"""The file of a master key."""

import os
from pathlib import Path

from app.database.cipher import Master, decoded, encoded, new_secret
from app.errors import MasterKeyInvalid


def read_master(path: Path) -> Master:
    """Return the master key of a file; raises MasterKeyInvalid."""
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyInvalid(f"the master key's file {path} cannot be read: {error}") from error
    return Master(decoded(text))


def write_master(path: Path) -> Master:
    """Write a new master key to a new file that only its owner reads; raises MasterKeyInvalid if the file exists."""
    secret = new_secret()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise MasterKeyInvalid(f"the master key's file {path} cannot be created: {error}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{encoded(secret)}\n")
        file.flush()
        os.fsync(file.fileno())
    return Master(secret)
