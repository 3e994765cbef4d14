"""A simulated disk after a power cut.

Synced changes survive. For unsynced ones, the seed decides: none of them, all of them, the first ones, or some of them
in another order. Writes of one file survive by pages or by sectors of 512 bytes, and sectors that were never
written are zeros. Names survive apart from contents, so a renamed file may exist without its bytes; a name lasts only
after a sync of its folder. Only the rename itself is one step, as on every journaling file system.

PostgreSQL does not sync the folder of a new data file. It relies on file systems that store the name of a new file with
its first sync: ext4, XFS and Btrfs do. `journaled` names the folder where the disk does so too.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.powercut.recorder import Operation, Record, Start

_PAGE, _SECTOR = 4096, 512
_JUNK = "-shm"  # SQLite's shared memory: a restart must not trust it


@dataclass(slots=True)
class _File:
    """A file: its content with and without unsynced changes, and these changes: (offset, bytes), or (size, None)."""

    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    is_mapped: bool = False

    def change(self, offset: int, data: bytes | None) -> None:
        _apply(self.cached, offset, data)
        self.pending.append((offset, data))

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()


Place = tuple[int, str]
"""A folder's number and a name in it."""


@dataclass(frozen=True, slots=True)
class _Naming:
    """One atomic change of names: the file or folder at each place afterwards, or None."""

    places: dict[Place, int | None]
    folder: int  # the one whose sync makes it last


class Disk:
    """The state of a recorded folder after some of its records."""

    def __init__(self, start: Start, journaled: str | None = None) -> None:
        self._journaled = journaled
        self._numbers = count(1)
        self._ids: dict[int, int] = {}
        self.files: dict[int, _File] = {}
        for inode, data in start.files.values():
            if inode not in self._ids:  # it may have several names
                self.files[self._new(inode)] = _File(bytearray(data), bytearray(data))
        self.folders = {self._new(inode) for inode in start.folders.values()}
        self.root = self._ids[start.folders[""]]
        self.names: dict[Place, int] = {}
        for path, inode in [
            *((path, inode) for path, inode in start.folders.items() if path),
            *((path, inode) for path, (inode, _) in start.files.items()),
        ]:
            above, _, name = path.rpartition("/")
            self.names[self._ids[start.folders[above]], name] = self._ids[inode]
        self.durable_names = dict(self.names)
        self.pending: list[_Naming] = []

    def apply(self, record: Record) -> None:
        """Make one recorded change."""
        match record.operation:
            case Operation.WRITE:
                file = self._file(record.inode)
                file.change(record.offset, record.data)
                if record.is_synced:
                    file.sync()
            case Operation.TRUNCATE:
                self._file(record.inode).change(record.offset, None)
            case Operation.MAPPED:
                self._file(record.inode).is_mapped = True
            case Operation.CREATE | Operation.MKDIR:
                self._create(record)
            case Operation.LINK:
                place = self._place(record.path2)
                self._name(_Naming({place: self._ids[record.inode]}, place[0]))
            case Operation.UNLINK:
                place = self._place(record.path)
                self._name(_Naming({place: None}, place[0]))
            case Operation.RENAME:
                before, place = self._place(record.path), self._place(record.path2)
                self._name(_Naming({before: None, place: self.names[before]}, place[0]))
            case Operation.SYNC:
                self._sync(self._ids[record.inode], record.path)
            case _:
                pass

    def _file(self, inode: int) -> _File:
        return self.files[self._ids[inode]]

    def _new(self, inode: int) -> int:
        """Return another number for a new file or folder: real disks give the inodes of deleted files to new ones."""
        self._ids[inode] = next(self._numbers)
        return self._ids[inode]

    def _create(self, record: Record) -> None:
        number = self._new(record.inode)
        if record.operation is Operation.MKDIR:
            self.folders.add(number)
        else:
            self.files[number] = _File()
        if record.path:
            place = self._place(record.path)
            self._name(_Naming({place: number}, place[0]))

    def _place(self, path: str) -> Place:
        inode = self.root
        *above, name = path.split("/")
        for each in above:
            inode = self.names[inode, each]
        return inode, name

    def _name(self, naming: _Naming) -> None:
        _rename(self.names, naming)
        self.pending.append(naming)

    def _sync(self, number: int, path: str) -> None:
        if number in self.folders:
            self._keep({at for at, each in enumerate(self.pending) if each.folder == number})
            return
        self.files[number].sync()
        if self._journaled is not None and path.startswith(f"{self._journaled}/"):
            self._keep({at for at, each in enumerate(self.pending) if number in each.places.values()})

    def _keep(self, chosen: set[int]) -> None:
        """Make the chosen changes of names last, and the earlier ones that they need."""
        kept = _with_earlier(self.pending, chosen)
        for at in sorted(kept):
            _rename(self.durable_names, self.pending[at])
        self.pending = [each for at, each in enumerate(self.pending) if at not in kept]

    def write(self, folder: Path) -> None:
        """Write the folder as its programs see it."""
        self._write(folder, self.names, {inode: bytes(file.cached) for inode, file in self.files.items()})

    def cut(self, folder: Path, seed: int) -> None:
        """Write the folder as a power cut leaves it."""
        rng = random.Random(seed)
        names = dict(self.durable_names)
        for naming in _surviving(self.pending, rng):
            _rename(names, naming)
        fate = rng.choice(_FATES)
        contents = {
            inode: _junk(file, rng) if file.is_mapped else _survived(file, fate or rng.choice(_FATES[1:]), rng)
            for inode, file in self.files.items()
        }
        self._write(folder, names, contents)

    def _write(self, folder: Path, names: dict[Place, int], contents: dict[int, bytes]) -> None:
        folder.mkdir(parents=True)
        below: dict[int, list[tuple[str, int]]] = {}
        for (above, name), inode in names.items():
            below.setdefault(above, []).append((name, inode))
        left = [(folder, self.root)]
        written: dict[int, Path] = {}
        while left:
            path, above = left.pop()
            for name, inode in below.get(above, ()):
                if inode in self.folders:
                    (path / name).mkdir(mode=0o700)
                    left.append((path / name, inode))
                elif inode in written:
                    (path / name).hardlink_to(written[inode])
                else:
                    (path / name).write_bytes(contents.get(inode, b""))
                    written[inode] = path / name

    def differences(self, root: Path) -> set[str]:
        """Return the names below `root` that differ from the records: a change was not recorded."""
        real, said = Start.of(root), {}
        left = [("", self.root)]
        while left:
            path, above = left.pop()
            for (inode, name), target in self.names.items():
                if inode == above:
                    said[f"{path}{name}"] = target
                    left.append((f"{path}{name}/", target))
        wrong = (real.files.keys() | real.folders.keys()) - {""} ^ said.keys()
        for path, (_, data) in real.files.items():
            file = self.files.get(said.get(path, -1))
            if file is not None and not file.is_mapped and file.cached != data:
                wrong.add(path)
        return wrong


_FATES = ("", "lost", "kept", "first", "pages", "sectors")


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
    content.extend(bytes(max(0, offset - len(content))))
    if data is not None:
        content[offset : offset + len(data)] = data


def _rename(names: dict[Place, int], naming: _Naming) -> None:
    for place, inode in naming.places.items():
        if inode is None:
            names.pop(place, None)
        else:
            names[place] = inode


def _with_earlier(pending: list[_Naming], chosen: set[int]) -> set[int]:
    """Return the chosen changes of names, and all earlier ones of the same names."""
    kept = set(chosen)
    touched: set[Place] = set()
    for at in range(len(pending) - 1, -1, -1):
        if at in kept or touched & pending[at].places.keys():
            kept.add(at)
            touched |= pending[at].places.keys()
    return kept


def _surviving(pending: list[_Naming], rng: random.Random) -> Iterable[_Naming]:
    match rng.choice(_FATES[1:]):
        case "lost":
            return ()
        case "kept":
            return pending
        case "first":
            return pending[: rng.randint(0, len(pending))]
        case _:
            share = rng.random()
            kept = _with_earlier(pending, {at for at in range(len(pending)) if rng.random() < share})
            return [pending[at] for at in sorted(kept)]


def _survived(file: _File, fate: str, rng: random.Random) -> bytes:
    if not file.pending or fate == "lost":
        return bytes(file.durable)
    if fate == "kept":
        return bytes(file.cached)
    count = rng.randint(0, len(file.pending))
    content = bytearray(file.durable)
    for offset, data in file.pending[:count]:
        _apply(content, offset, data)
    if fate == "first":
        return bytes(content)
    size = len(content)
    return _mixed(file, _PAGE if fate == "pages" else _SECTOR, count, rng)[:size].ljust(size, b"\0")


def _mixed(file: _File, unit: int, count: int, rng: random.Random) -> bytes:
    """Return the content where each unit holds its content after some of the writes to it.

    A truncation is one step: the first `count` changes have their truncations, the others do not.
    """
    versions: dict[int, list[bytes]] = {}
    content, result = bytearray(file.durable), bytearray(file.durable)
    for number, (offset, data) in enumerate(file.pending):
        if data is None:
            if number < count:
                _apply(content, offset, None)
                _apply(result, offset, None)
                versions = {at: contents for at, contents in versions.items() if (at + 1) * unit <= offset}
            continue
        _apply(content, offset, data)
        for at in range(offset // unit, -(-(offset + len(data)) // unit)):
            versions.setdefault(at, []).append(bytes(content[at * unit : (at + 1) * unit]))
    share = rng.random()
    for at, contents in versions.items():
        if rng.random() < share:
            _apply(result, at * unit, rng.choice(contents))
    return bytes(result)


def _junk(file: _File, rng: random.Random) -> bytes:
    return rng.choice((b"", bytes(file.cached), rng.randbytes(len(file.cached))))
