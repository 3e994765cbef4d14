"""Atomic and durable writing, reading and deletion of snapshot files."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.disk import lock, sync_folder

# An array's bytes are written as they lie in memory; every machine that runs this is little-endian.
Part = NDArray[Any] | bytes

_READ_AT_ONCE = 1 << 20
LOCK = ".lock"
_PART = ".part-"

# Files of a snapshot folder; other files, as in a wrongly configured folder, are never deleted.
MANIFEST = "manifest.json"
_SUFFIXES = {".segment", ".codec"}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a snapshot folder among all threads and processes; create the folder if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("wb") as file:
        lock(file)
        yield


def write_whole(path: Path, parts: Sequence[Part]) -> None:
    """Write the parts' bytes to a new file, then put it in the place of `path`; `sync_folder` makes that last."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_PART, delete=False) as file:
        temporary = Path(file.name)
        try:
            for part in parts:
                file.write(_bytes_of(part))
            file.flush()
            os.fsync(file.fileno())
            file.close()  # Windows does not rename open files
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def sweep(folder: Path, kept: set[str]) -> int:
    """Delete all files of a locked snapshot, and of interrupted saves, except `kept`.

    Return the number of deleted files.
    """
    deleted = 0
    for path in folder.iterdir():
        is_ours = path.name == MANIFEST or path.suffix in _SUFFIXES or path.name.startswith(_PART)
        if is_ours and path.name not in kept and not path.is_dir():
            path.unlink(missing_ok=True)
            deleted += 1
    sync_folder(folder)
    return deleted


def digest_of(parts: Sequence[Part]) -> str:
    """Return the SHA-256 of the parts' bytes, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_bytes_of(part))
    return digest.hexdigest()


def read_into(path: Path, parts: Sequence[NDArray[Any]], sha256: str) -> None:
    """Fill contiguous arrays with a file's bytes; raises OSError, or ValueError unless size and hash are right.

    The arrays' memory is taken by the caller, but touched only after the file's size was found to fit.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != sum(part.nbytes for part in parts):
            raise ValueError("the file is of another size")
        for part in parts:
            left = _bytes_of(part)
            while left and (read := file.readinto(left[:_READ_AT_ONCE])):
                digest.update(left[:read])  # while it is in the cache
                left = left[read:]
    if digest.hexdigest() != sha256:
        raise ValueError("the file's checksum is another")


def _bytes_of(part: Part) -> memoryview:
    if isinstance(part, bytes):
        return memoryview(part)
    return part.reshape(-1).view(np.uint8).data  # a view: what is read into it is in the array
