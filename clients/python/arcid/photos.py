"""What requests carry: photos and other files, from memory, from disk, from a stream, or named."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol


class Readable(Protocol):
    """A file that is open for reading in binary mode."""

    def read(self) -> bytes:
        """Return what is left of it."""


@dataclass(frozen=True, slots=True)
class PhotoUrl:
    """A photo that the service fetches itself, where its operator has allowed that."""

    url: str


@dataclass(frozen=True, slots=True)
class ServerPath:
    """A file or folder below the folder that imports may read on the server."""

    path: str


File = bytes | str | PathLike[str] | Readable
"""Its bytes, its path (text is a path, too), or an open binary file, which is read to its end."""
Photo = File | PhotoUrl
Photos = Photo | Sequence[Photo]


def bytes_of(file: File) -> bytes:
    """Return a file's bytes.

    Raises OSError when a path cannot be read, TypeError for a file that was opened as text.
    """
    if isinstance(file, bytes):
        return file
    if isinstance(file, str | PathLike):
        return Path(file).read_bytes()
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError("open the file in binary mode: its bytes are sent")
    return content


def as_sequence(photos: Photos) -> Sequence[Photo]:
    """Return one photo or several as several."""
    if isinstance(photos, list | tuple):
        return photos
    if isinstance(photos, bytes | str | PathLike | PhotoUrl) or hasattr(photos, "read"):
        return [photos]
    return list(photos)
