"""Master key files, and what seals crops and the snapshots of a collection."""

import os
from contextlib import suppress
from pathlib import Path

from app.database.cipher import Context, Master, decoded, encoded, new_secret
from app.database.vault import Sealed, Vault
from app.errors import DatabaseError, EncryptionError, MasterKeyInvalid


def read_master(path: Path) -> Master:
    """Return the master key of a file; raises MasterKeyInvalid."""
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyInvalid(f"the master key's file {path} cannot be read: {error}") from error
    return Master(decoded(text))


def write_master(path: Path) -> Master:
    """Write a new master key to a new file that only its owner reads; raises MasterKeyInvalid if it is there."""
    secret = new_secret()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise MasterKeyInvalid(f"the master key's file {path} cannot be made: {error}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{encoded(secret)}\n")
        file.flush()
        os.fsync(file.fileno())
    return Master(secret)


class SnapshotSeal:
    """See `app.index.protocol.Seal`: a collection's files, with the vault's data keys."""

    def __init__(self, vault: Vault, collection_uid: str) -> None:
        self._vault = vault
        self._uid = collection_uid

    def newest(self) -> int:
        """See `Seal`."""
        with suppress(DatabaseError):  # while it is away, what was known will do
            self._vault.refresh()
        return self._vault.newest()

    def seal(self, kind: str, data: bytes) -> tuple[bytes, int]:
        """See `Seal`."""
        sealed = self._vault.seal_file(Context(kind, self._uid), data)
        return sealed.data, sealed.data_key_id or 0

    def open(self, kind: str, sealed: bytes) -> bytes:
        """See `Seal`."""
        try:
            return self._vault.open_file(Context(kind, self._uid), sealed)
        except EncryptionError as error:
            raise ValueError(str(error)) from error


class VaultSealer:
    """See `app.identities.crops.Sealer`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal(self, data: bytes, context: Context) -> Sealed:
        """See Sealer."""
        self._vault.refresh()  # a key that another process has just retired may be deleted at any moment
        return self._vault.seal_file(context, data)

    def open(self, sealed: bytes, context: Context) -> bytes:
        """See Sealer."""
        return self._vault.open_file(context, sealed)
