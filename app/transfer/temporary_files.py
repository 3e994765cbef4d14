"""Files and folders that are there only while they are written. What a killed process left of them is removed.

Their maker holds a lock on them, which ends with the process, however it ends.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

_SUFFIX = ".arcid-part"


@contextmanager
def new_folder(beside: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that is deleted at the end, unless it was renamed; first delete those that nobody holds."""
    with _alone(beside):
        _sweep(beside, prefix)
        path = Path(tempfile.mkdtemp(dir=beside, prefix=prefix, suffix=_SUFFIX))
        descriptor = _lock(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def new_file(beside: Path, prefix: str) -> Iterator[BinaryIO]:
    """Open a new file, by its `name` deleted at the end, unless it was renamed; first delete those that nobody holds.

    Only its owner may read it.
    """
    with _alone(beside):
        _sweep(beside, prefix)
        file = tempfile.NamedTemporaryFile(dir=beside, prefix=prefix, suffix=_SUFFIX, delete=False)  # noqa: SIM115 - closed below
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        with file:
            yield cast("BinaryIO", file)
    finally:
        Path(file.name).unlink(missing_ok=True)


def sweep(beside: Path, prefix: str) -> None:
    """Delete what nobody holds, as far as this process may; does nothing where there is no such folder."""
    with suppress(OSError):
        if any(beside.glob(_pattern(prefix))):
            with _alone(beside):
                _sweep(beside, prefix)


def discard(path: Path, prefix: str) -> None:
    """Delete a folder, of which nothing is left under its name even if this is cut off."""
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix, suffix=_SUFFIX))
    path.rename(part)
    shutil.rmtree(part, ignore_errors=True)


def _sweep(beside: Path, prefix: str) -> None:
    for path in beside.glob(_pattern(prefix)):
        with suppress(OSError):  # held, or gone, or not ours
            descriptor = _lock(path)
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(descriptor)


def _pattern(prefix: str) -> str:
    plain = "".join(f"[{each}]" if each in "*?[" else each for each in prefix)
    return f"{plain}*{_SUFFIX}"


def _lock(path: Path) -> int:
    """Return a descriptor that holds `path`; raises OSError where somebody else does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let nobody delete what is made in a folder before its maker holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
