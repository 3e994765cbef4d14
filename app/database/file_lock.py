"""Lock file of the embedded database: shared by services, exclusive for a restore, released when the process exits."""

import os
from pathlib import Path

from app.disk import lock, make_folder
from app.errors import DatabaseInUse, DatabaseNotWritable

_SUFFIX = ".lock"


class Occupancy:
    """A lock on a database file, by a lock file next to it; see `shared` and `alone`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def shared(cls, database: Path) -> "Occupancy":
        """Take the shared lock; raises DatabaseInUse during a restore, or DatabaseNotWritable."""
        return cls._locked(database, f"{database} is being restored; try again when that is done", is_shared=True)

    @classmethod
    def alone(cls, database: Path) -> "Occupancy":
        """Take the exclusive lock; raises DatabaseInUse while a service runs, or DatabaseNotWritable."""
        return cls._locked(database, f"a service or command uses {database}; stop it first", is_shared=False)

    @classmethod
    def _locked(cls, database: Path, refusal: str, *, is_shared: bool) -> "Occupancy":
        path = database.with_name(database.name + _SUFFIX)
        try:
            make_folder(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseNotWritable(
                f"{path} cannot be opened; its folder must be writable for the user that runs this, its disk not "
                "mounted read-only",
                str(error),
            ) from error
        try:
            lock(descriptor, is_shared=is_shared, is_waiting=False)
        except OSError as error:
            os.close(descriptor)
            raise DatabaseInUse(refusal) from error
        return cls(descriptor)

    def release(self) -> None:
        """Release the lock; may be called repeatedly."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
