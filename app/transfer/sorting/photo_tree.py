"""Photos of a folder at any depth."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from app.transfer.photo_folders import is_skipped, printable
from app.transfer.photo_zips import PHOTO_SUFFIXES


@dataclass(frozen=True, slots=True)
class TreePhoto:
    """A photo below a folder: its path, and its label, the path relative to the folder with `/`."""

    path: Path
    label: str


def photos_below(folder: Path, *, besides: Path | None = None) -> list[TreePhoto]:
    """Return the photos below a folder, sorted by label; hidden files and those of `besides` are left out.

    Links to folders are not followed. Raises OSError if a folder cannot be read.
    """
    found: list[TreePhoto] = []
    left_out = None if besides is None else besides.resolve()
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [each for each in folders if not is_skipped(each) and Path(parent, each).resolve() != left_out]
        paths = [Path(parent, each) for each in files if not is_skipped(each)]
        found += [
            TreePhoto(path, printable(path.relative_to(folder).as_posix()))
            for path in paths
            if path.suffix.lower() in PHOTO_SUFFIXES
        ]
    return sorted(found, key=lambda photo: photo.label)


def _raise(error: OSError) -> NoReturn:
    raise error
