"""Locks of files, and durable folders: the calls that differ between Linux, macOS and Windows."""

import os
import sys
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import portalocker
else:  # importing portalocker takes 0.2 s, and fails if the temporary folder is full
    import fcntl

IS_WINDOWS = sys.platform == "win32"


def lock(file: IO[Any] | int, *, is_shared: bool = False, is_waiting: bool = True) -> None:
    """Lock an open file, or a descriptor of a file or folder. Windows cannot lock folders.

    The lock belongs to the descriptor: it ends when all copies of the descriptor are closed, or with the process.

    Raises BlockingIOError if another descriptor has the lock and the call must not wait, OSError if locks do not work.
    """
    if sys.platform == "win32":
        flags = portalocker.LOCK_SH if is_shared else portalocker.LOCK_EX
        try:
            portalocker.lock(file, flags if is_waiting else flags | portalocker.LOCK_NB)
        except portalocker.AlreadyLocked as error:
            raise BlockingIOError(error.strerror) from error
        except portalocker.LockException as error:
            raise OSError(error.strerror) from error
    else:
        operation = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        fcntl.flock(file, operation if is_waiting else operation | fcntl.LOCK_NB)


def open_to_lock(path: Path) -> int:
    """Return a descriptor of an existing file or folder; raises OSError, also if the path is a link."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in a folder survive a power failure; does nothing on Windows."""
    if IS_WINDOWS:
        return
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
