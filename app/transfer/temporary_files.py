"""Temporary files and folders, deleted at the end. Leftovers of killed processes are deleted too.

The creating process holds a lock on them, which ends with the process. Windows cannot lock folders: leftover folders
stay there.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from app.disk import IS_WINDOWS, delete, lock, open_to_lock, rename, sync_folder

_SUFFIX = ".arcid-part"


@contextmanager
def new_folder(beside: Path, prefix: str) -> Iterator[Path]:
    """Create a folder, deleted at the end unless it was renamed. Unlocked leftovers are deleted first."""
    with _alone(beside):
        _sweep(beside, prefix)
        path = Path(tempfile.mkdtemp(dir=beside, prefix=prefix, suffix=_SUFFIX))
        descriptor = None if IS_WINDOWS else _lock(path)
    try:
        yield path
    finally:
        _remove_tree(path)
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def new_file(beside: Path, prefix: str) -> Iterator[BinaryIO]:
    """Open a new file, deleted by `name` at the end unless it was renamed. Unlocked leftovers are deleted first.

    Only its owner can read it.
    """
    with _alone(beside):
        _sweep(beside, prefix)
        file = tempfile.NamedTemporaryFile(dir=beside, prefix=prefix, suffix=_SUFFIX, delete=False)  # noqa: SIM115 - closed below
        lock(file)
    try:
        with file:
            yield cast("BinaryIO", file)
    finally:
        delete(Path(file.name))


def sweep(beside: Path, prefix: str) -> None:
    """Delete unlocked leftovers that this process may delete; does nothing if the folder does not exist."""
    with suppress(OSError):
        if any(beside.glob(_pattern(prefix))):
            with _alone(beside):
                _sweep(beside, prefix)


def discard(path: Path, prefix: str) -> None:
    """Delete a folder; an interrupted deletion leaves nothing under its name."""
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix, suffix=_SUFFIX))
    rename(path, part)
    _remove_tree(part)


def _remove_tree(folder: Path) -> None:
    """Delete a folder and what can be deleted in it; a power failure does not bring it back."""
    shutil.rmtree(folder, ignore_errors=True)
    sync_folder(folder.parent)


def _sweep(beside: Path, prefix: str) -> None:
    for path in beside.glob(_pattern(prefix)):
        with suppress(OSError):  # locked, already deleted, or owned by another user
            descriptor = _lock(path)
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(descriptor)


def _pattern(prefix: str) -> str:
    plain = "".join(f"[{each}]" if each in "*?[" else each for each in prefix)
    return f"{plain}*{_SUFFIX}"


def _lock(path: Path) -> int:
    """Return a descriptor that locks `path`; raises OSError if another process holds the lock."""
    descriptor = open_to_lock(path)
    try:
        lock(descriptor, is_waiting=False)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from deleting new files in a folder before they are locked."""
    if IS_WINDOWS:  # it deletes neither open files nor folders that cannot be locked
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)
