"""The database, its encryption, the index and the disk."""

import errno
from typing import Self

from app.errors.base import ArcidError


class DatabaseError(ArcidError, has_own_code=False):
    """The database cannot do its work now; nothing that was acknowledged is lost."""


class DatabaseUnavailable(DatabaseError):
    """The database does not answer, or is busy for too long; the caller may try again."""


class DatabaseNotWritable(DatabaseError):
    """The database's disk is full or its file is read-only: the operator has to act. Reads still work."""


class DatabaseInUse(ArcidError):
    """A service or a command uses the database that should be replaced."""


class SchemaOutdated(ArcidError):
    """The database's schema is of another version of ArcID."""


class IndexUnusable(ArcidError):
    """A saved index is damaged or of another kind; the database can rebuild it."""


class IndexUnavailable(ArcidError):
    """Milvus, which holds the index, does not answer."""


_DISK = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "the disk is full; make room on it, then try again"),
    errno.EROFS: "the disk is read-only; mount it writable, then try again",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM), "a file cannot be written; make its folder writable for the user that runs this"
    ),
}


class StorageNotWritable(ArcidError):
    """A file cannot be written: the disk is full or read-only, or the folder is another user's. Reads still work."""

    @classmethod
    def of(cls, error: OSError) -> Self | None:
        """Return an error that explains to the operator how to fix a failed write, or None for other errors."""
        message = _DISK.get(error.errno or 0)
        return cls(message, str(error)) if message is not None else None


class FileUnusable(ArcidError):
    """A named file cannot be read or written."""


class EncryptionError(ArcidError, has_own_code=False):
    """Encrypted data cannot be used in the current setup: the operator has to act."""


class MasterKeyMissing(EncryptionError):
    """The master key is needed, and no setting names it."""


class MasterKeyInvalid(EncryptionError):
    """The master key is not 32 bytes in base64, or its file cannot be read."""


class MasterKeyWrong(EncryptionError):
    """The master key differs from the one that wrapped the database's data keys."""


class SealBroken(EncryptionError):
    """Encrypted bytes were changed or moved, or their key is gone."""


class DataKeyGone(SealBroken, has_own_code=False):
    """The database lacks the data key of encrypted bytes."""


class PlainIndexRefused(EncryptionError):
    """Encryption is enabled, and an index would store templates unencrypted outside this service."""
