"""Sources of photos to import: items in a stable order, and the bytes of each."""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from app.errors import ImportInvalid, ItemInvalid, TooManyBytes
from app.names import id_flaw, nfc

_SKIPPED = {
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "@eadir",
    "@recycle",
    "#recycle",
    "$recycle.bin",
    "system volume information",
    "lost+found",
}
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Item:
    """A photo of a person. `label` is its unique display name in a source; `flaw` is the reason if it is unusable."""

    label: str
    identity_id: str
    where: str
    name: str | None = None
    metadata: Mapping[str, Any] | None = None
    flaw: str | None = None


class Source(Protocol):
    """Photos to import. A context manager."""

    @property
    def items(self) -> Sequence[Item]:
        """All items. Those of one person are adjacent, unless a list orders them differently."""

    def read(self, item: Item, most_bytes: int) -> bytes:
        """Return a photo's bytes; raises ItemInvalid or TooManyBytes. Thread-safe."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class Folder:
    """Photos as `person/photo.jpg`, with the person's id as folder name; with `is_flat`: `person.jpg`.

    With `inside`, paths that lead out of that folder (by a symbolic link) are refused.
    """

    def __init__(self, root: Path, *, is_flat: bool = False, inside: Path | None = None) -> None:
        self._root = root
        self._inside = inside
        try:
            found = [each for top in _inside(root) for each in ([top] if is_flat else self._of_person(top))]
        except OSError as error:
            raise ImportInvalid(f"the folder cannot be read: {error.strerror}") from error
        self.items: list[Item] = [item_of(each.relative_to(root).as_posix(), is_flat=is_flat) for each in found]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: no resource is open."""

    def read(self, item: Item, most_bytes: int) -> bytes:
        """See `Source.read`."""
        return read_file(self._root / item.where, most_bytes, inside=self._inside)

    def _of_person(self, top: Path) -> list[Path]:
        if not top.is_dir():
            return [top]
        try:
            if self._inside is None or top.resolve().is_relative_to(self._inside.resolve()):
                return _inside(top)
        except (OSError, RuntimeError):  # RuntimeError: a loop of links
            pass
        return [top / "?"]  # an item whose reading reports the reason


def item_of(where: str, *, is_flat: bool) -> Item:
    """Return the item at `person/photo.jpg`, or with `is_flat` at `person.jpg`. Any other path gets a flaw."""
    parts = where.split("/")
    if is_flat:
        identity_id = nfc(parts[-1].rpartition(".")[0] or parts[-1])
        flaw = "it is in a folder" if len(parts) > 1 else None
    else:
        identity_id = nfc(parts[0])
        flaw = None if len(parts) == 2 else "it is not in a person's folder: person/photo.jpg"
    if _DRIVE.fullmatch(parts[0]):
        flaw = "its path is absolute"
    return Item(printable(where), identity_id, where, flaw=flaw or flaw_of(identity_id))


def flaw_of(identity_id: str) -> str | None:
    """Return the reason why an id cannot be a person's id, or None."""
    flaw = id_flaw(identity_id)
    return None if flaw is None else f"it cannot be a person's: {flaw}"


def is_skipped(name: str) -> bool:
    """Return whether a file or folder is hidden, or a system file of a desktop or file server."""
    return name.startswith(".") or name.lower() in _SKIPPED


def printable(text: str) -> str:
    """Return a path as valid Unicode, since a file's name may be any bytes."""
    return text.encode("utf-8", "replace").decode()


def read_file(path: Path, most_bytes: int, *, inside: Path | None = None) -> bytes:
    """Return the bytes of a regular file; raises ItemInvalid, also if the path leads out of `inside`."""
    try:
        found = path.resolve(strict=True)
        if inside is not None and not found.is_relative_to(inside.resolve()):
            raise ItemInvalid("the path leads outside the import folder")
        # Reading a pipe or a device could wait for ever.
        opened = os.open(found, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise ItemInvalid("it is not a file")
            data = file.read(most_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = error.strerror if isinstance(error, OSError) else None
        raise ItemInvalid(f"the file cannot be read: {reason or 'its path is not valid'}") from error
    return bounded(data, most_bytes)


def bounded(data: bytes, most_bytes: int) -> bytes:
    """Return the data; raises TooManyBytes if it is too long."""
    if len(data) > most_bytes:
        raise TooManyBytes(most_bytes)
    return data


def _inside(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not is_skipped(each.name))
