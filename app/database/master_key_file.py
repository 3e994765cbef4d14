"""The file of a master key."""

import os
import tempfile
from pathlib import Path

from app.database.cipher import Master, decoded, encoded, new_secret
from app.disk import sync_folder
from app.errors import MasterKeyInvalid, StorageNotWritable


def read_master(path: Path) -> Master:
    """Return the master key of a file; raises MasterKeyInvalid."""
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyInvalid(f"the master key's file {path} cannot be read: {error}") from error
    return Master(decoded(text))


def write_master(path: Path) -> Master:
    """Write a new master key to a new file that only its owner reads. The file is complete or does not exist.

    Raises MasterKeyInvalid if the file exists or its folder cannot be used, StorageNotWritable if the disk is full.
    """
    secret = new_secret()
    try:
        with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=path.parent, prefix=f".{path.name}-") as file:
            file.write(f"{encoded(secret)}\n")
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, path)  # unlike a rename, it fails if the file exists
        sync_folder(path.parent)
    except OSError as error:
        raise StorageNotWritable.of(error) or MasterKeyInvalid(
            f"the master key's file {path} cannot be created: {error}"
        ) from error
    return Master(secret)
