"""Locks of files, and changes of folders that survive a power failure: the calls that differ between systems."""

import os
import shutil
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


def sync_file(path: Path) -> None:
    """Make the content of a file survive a power failure, whichever program wrote it; its name needs `sync_folder`."""
    descriptor = os.open(path, os.O_RDWR)  # Windows syncs only files that are open for writing
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make all files and folders below a folder survive a power failure; not the folder's own name."""
    for path in folder.rglob("*"):
        if path.is_file():
            sync_file(path)
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Create a folder, unless it exists, and its missing parents; all of them survive a power failure.

    Without this, a power failure can delete a new folder with everything that was synced in it.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def rename(path: Path, target: Path) -> None:
    """Give a synced file another name, in place of any other file, so that this survives a power failure."""
    path.replace(target)
    sync_folder(target.parent)
    if path.parent != target.parent:
        sync_folder(path.parent)


def delete(path: Path) -> None:
    """Delete a file, if it exists, so that a power failure does not bring it back."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_folder(path.parent)


def delete_tree(folder: Path) -> None:
    """Delete a folder, if it exists, so that a power failure does not bring it back.

    Raises OSError if a file cannot be deleted.
    """
    if folder.exists():
        shutil.rmtree(folder)
        sync_folder(folder.parent)
