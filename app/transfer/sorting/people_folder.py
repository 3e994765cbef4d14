"""The folder of sorted photos: a folder for each person, with links to the photos or copies of them."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from app.transfer.sorting.photo_sorting import SortedPhoto

STATE: Final = "arcid-cluster.npz"
_UNSURE, _NO_FACE = "unsure", "no-face"
_MARK: Final = ".arcid-group"
"""A file in each person's folder with the number of the group, so that the folder may be renamed."""


class Placing(StrEnum):
    """How photos come into the folders of people."""

    LINK = "link"
    COPY = "copy"


class PeopleFolder:
    """A folder with a folder for each person, `unsure` and `no-face`.

    Photos are only added to the folders of people. A link or copy in `unsure` is removed once its photo is with a
    person: nothing else is ever removed, and no file is overwritten.
    """

    def __init__(self, root: Path, placing: Placing) -> None:
        self._root = root
        self._placing = placing
        self._folders = dict(_marked(root))

    def name(self, group: int) -> str:
        """Return the name of a person's folder."""
        return self._folders.get(group, f"person-{group:04d}")

    def place(self, photos: Iterable[SortedPhoto]) -> None:
        """Put photos into the folders of the people on them, or in `unsure` or `no-face`."""
        for each in photos:
            for group in each.groups:
                self._put(each, self._of_person(group))
            if each.groups:
                self._remove(each, self._root / _UNSURE)
            elif each.error is None:
                self._put(each, self._root / (_UNSURE if each.faces else _NO_FACE))

    def _of_person(self, group: int) -> Path:
        folder = self._root / self.name(group)
        if group not in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _MARK).write_text(f"{group}\n", "utf-8")
            self._folders[group] = folder.name
        return folder

    def _put(self, each: SortedPhoto, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for target in _targets(each, folder):
            if self._is_placed(each, target):
                return
            if not os.path.lexists(target):
                self._make(each.photo.path, target)
                return

    def _make(self, source: Path, target: Path) -> None:
        if self._placing is Placing.COPY:
            shutil.copy2(source, target)
        else:
            target.symlink_to(os.path.relpath(source.resolve(), target.parent.resolve()))

    def _remove(self, each: SortedPhoto, folder: Path) -> None:
        for target in _targets(each, folder):
            if self._is_placed(each, target):
                target.unlink()
                return

    def _is_placed(self, each: SortedPhoto, target: Path) -> bool:
        """Return whether a file is this photo: a link to it, or a copy with the same bytes."""
        source = each.photo.path
        with suppress(OSError):
            if target.is_symlink():
                return target.resolve() == source.resolve()
            is_equal = target.is_file() and target.stat().st_size == source.stat().st_size
            return is_equal and target.read_bytes() == source.read_bytes()
        return False


def photos_of_groups(photos: Sequence[SortedPhoto]) -> list[tuple[int, int]]:
    """Return the groups with their numbers of photos, the largest first."""
    counts = Counter(group for each in photos for group in each.groups)
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _targets(each: SortedPhoto, folder: Path) -> Iterator[Path]:
    """Yield the names that a photo may have in a folder: its own, or with its place in the tree."""
    name = Path(each.photo.label)
    yield folder / name.name
    yield folder / "-".join(name.parts)
    yield folder / f"{name.stem}-{(each.sha256 or '')[:16]}{name.suffix}"


def _marked(root: Path) -> Iterator[tuple[int, str]]:
    """Yield the groups that have a folder, with its name."""
    if root.is_dir():
        for folder in sorted(root.iterdir()):
            with suppress(OSError, ValueError):
                yield int((folder / _MARK).read_text("utf-8")), folder.name
