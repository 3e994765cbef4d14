"""Photos and other files of requests: bytes, paths, open files, pixels, URLs and server paths."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from os import SEEK_END, PathLike
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from arcid.pixels import is_in_memory, png_of


class Readable(Protocol):
    """A file that is open for reading in binary mode."""

    def read(self) -> bytes:
        """Return the rest of the file."""


class Array(Protocol):
    """A NumPy array."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


class PillowImage(Protocol):
    """An image of Pillow."""

    def getexif(self) -> Any:
        """Return the metadata."""


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
Photo = File | Array | PillowImage | PhotoUrl
"""A file, pixels (a NumPy array of uint8, RGB or grey, or an image of Pillow), or a URL."""
Photos = Photo | Sequence[Photo]


def bytes_of(file: File | Array | PillowImage) -> bytes:
    """Return the content of a file, or pixels as a PNG file.

    Raises OSError if a path cannot be read, and TypeError if a file was opened in text mode or an array is not a photo.
    """
    if isinstance(file, bytes):
        return file
    if is_in_memory(file):
        return png_of(file)
    if isinstance(file, str | PathLike):
        return Path(file).read_bytes()
    content = file.read() if hasattr(file, "read") else None
    if not isinstance(content, bytes):
        raise TypeError(f"{type(file).__name__} is not a photo: pass bytes, a path, a file in binary mode or pixels")
    return content


@contextmanager
def opened(file: File) -> Iterator[tuple[BinaryIO, int]]:
    """Context manager: open a file for reading, and return it with its size in bytes; raises as `bytes_of`."""
    if isinstance(file, str | PathLike):
        with Path(file).open("rb") as stream:
            yield stream, stream.seek(0, SEEK_END)
    else:
        data = bytes_of(file)
        yield BytesIO(data), len(data)


def size_of(file: File) -> int | None:
    """Return the size of a file in bytes; None if it is open, and so has to be read first."""
    if isinstance(file, bytes):
        return len(file)
    return Path(file).stat().st_size if isinstance(file, str | PathLike) else None


def as_sequence(photos: Photos) -> Sequence[Photo]:
    """Return one or more photos as a sequence."""
    if isinstance(photos, list | tuple):
        return photos
    if isinstance(photos, bytes | str | PathLike | PhotoUrl) or hasattr(photos, "read") or is_in_memory(photos):
        return [cast("Photo", photos)]
    return list(cast("Sequence[Photo]", photos))
