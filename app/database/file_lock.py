"""Who uses the embedded database: services together, or one restore alone. What a process held goes with it."""

import fcntl
import os
from pathlib import Path

from app.errors import DatabaseInUse, DatabaseNotWritable

_SUFFIX = ".lock"


class Occupancy:
    """A hold on a database's file, by a lock file beside it; see `shared`, `alone`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def shared(cls, database: Path) -> "Occupancy":
        """Use a database beside others; raises DatabaseInUse while one has it alone, and DatabaseNotWritable."""
        return cls._locked(database, fcntl.LOCK_SH, f"{database} is being restored; try again when that is done")

    @classmethod
    def alone(cls, database: Path) -> "Occupancy":
        """Have a database alone; raises DatabaseInUse while a service runs, and DatabaseNotWritable."""
        return cls._locked(database, fcntl.LOCK_EX, f"a service or command uses {database}; stop it first")

    @classmethod
    def _locked(cls, database: Path, operation: int, refusal: str) -> "Occupancy":
        path = database.with_name(database.name + _SUFFIX)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseNotWritable(
                f"{path} cannot be opened; its folder must be writable for the user that runs this, its disk not "
                "mounted read-only",
                str(error),
            ) from error
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise DatabaseInUse(refusal) from error
        return cls(descriptor)

    def release(self) -> None:
        """Let go; may be repeated."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
