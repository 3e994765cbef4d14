"""Files of resumable uploads: durable, private, and written by one process at a time."""

import os
from pathlib import Path

from app.disk import lock
from app.errors import UploadConflict, UploadTooLarge


class Writer:
    """An open upload of `length` bytes, locked for this writer until `close`. Not thread-safe."""

    def __init__(self, path: Path, length: int) -> None:
        """Open a file to append to it; raises UploadConflict if it is locked, and FileNotFoundError."""
        self._length = length
        self._file = path.open("r+b", buffering=0)
        try:
            lock(self._file, is_waiting=False)
        except BlockingIOError as error:
            self._file.close()
            raise UploadConflict(
                "another request writes to the upload; ask for its offset, and continue there"
            ) from error
        self.offset = self._file.seek(0, os.SEEK_END)

    @property
    def left(self) -> int:
        """Return how many bytes are missing."""
        return self._length - self.offset

    def write(self, data: bytes) -> None:
        """Append bytes; raises UploadTooLarge, with nothing written, if they exceed the length of the upload."""
        if len(data) > self.left:
            raise UploadTooLarge(f"the upload was created for {self._length:,} bytes")
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)
            self.offset += written
            rest = rest[written:]

    def close(self) -> None:
        """Store what was written, so that it outlives a loss of power, and unlock the upload."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def write_private(path: Path, data: bytes) -> None:
    """Write a new private file, and have it on the disk when this returns."""
    path.touch(0o600, exist_ok=False)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
