"""How index files are written: whole or not at all, and with a checksum at their end."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.errors import IndexUnusable

_READ_AT_ONCE = 1 << 20


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new file beside `path`, append its SHA-256, then put it in the place of `path` in one step."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        temporary = Path(part.name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            file.write(hashlib.file_digest(file, "sha256").digest())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_whole(path: Path) -> None:
    """Raise IndexUnusable unless `path` is a file as `write_whole` left it.

    Comes before any library reads the file: a damaged length would make it ask for all memory.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            left = path.stat().st_size - digest.digest_size
            while left > 0 and (part := file.read(min(left, _READ_AT_ONCE))):
                digest.update(part)
                left -= len(part)
            is_whole = file.read() == digest.digest()
    except OSError as error:
        raise IndexUnusable(f"{path} cannot be read: {error}") from error
    if not is_whole:
        raise IndexUnusable(f"{path} is damaged, or no index file")
