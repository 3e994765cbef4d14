"""Photos and other files of requests: bytes, paths, open files, URLs and server paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol


class Readable(Protocol):
    """A file that is open for reading in binary mode."""

    def read(self) -> bytes:
        """Return the rest of the file."""


@dataclass(frozen=True, slots=True)
class PhotoUrl:
    """A photo that the service fetches itself, if its operator allows that."""

    url: str


@dataclass(frozen=True, slots=True)
class ServerPath:
    """A file or folder on the server, relative to the folder for imports."""

    path: str


File = bytes | str | PathLike[str] | Readable
"""Bytes, a path (a str is a path too), or an open binary file, which is read to its end."""
Photo = File | PhotoUrl
Photos = Photo | Sequence[Photo]


def bytes_of(file: File) -> bytes:
    """Return the content of a file.

    Raises OSError if a path cannot be read, and TypeError if a file was opened in text mode.
    """
    if isinstance(file, bytes):
        return file
    if isinstance(file, str | PathLike):
        return Path(file).read_bytes()
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError("open the file in binary mode")
    return content


def as_sequence(photos: Photos) -> Sequence[Photo]:
    """Return one or more photos as a sequence."""
    if isinstance(photos, list | tuple):
        return photos
    if isinstance(photos, bytes | str | PathLike | PhotoUrl) or hasattr(photos, "read"):
        return [photos]
    return list(photos)
