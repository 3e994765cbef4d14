"""Recordings of a folder: which files its programs changed and synced, in order, with marks of the test between.

`recorder.c` describes how. One recording has thousands of moments at which the power can fail.
"""

import json
import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("recorder.c")
_UNLINKED = " (deleted)"  # added by Linux to the name of an open file that was deleted
_HEAD = struct.Struct("<IIIIQQQ")


class Operation(IntEnum):
    """The kinds of records: those of recorder.c, and MARK, which the test writes."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    RENAME = 4
    LINK = 5
    UNLINK = 6
    SYNC = 7
    MAPPED = 8
    MKDIR = 9
    UNKNOWN = 10
    MARK = 100


@dataclass(frozen=True, slots=True)
class Record:
    """One change; `path` and `path2` are relative to the folder. `is_synced`: the write itself reached the disk.

    The data of a SYNC are the calls in `app/` that it came from, if a program of `program.py` made it.
    """

    operation: Operation
    inode: int
    offset: int
    path: str
    path2: str
    data: bytes
    is_synced: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """A folder at the start of a recording: inodes of its folders and files, and the content of the files."""

    folders: dict[str, int]
    files: dict[str, tuple[int, bytes]]

    @classmethod
    def of(cls, root: Path) -> "Start":
        """Read a folder."""
        paths = [root, *sorted(root.rglob("*"))]
        names = {path: path.relative_to(root).as_posix() if path != root else "" for path in paths}
        return cls(
            {names[path]: path.stat().st_ino for path in paths if path.is_dir()},
            {names[path]: (path.stat().st_ino, path.read_bytes()) for path in paths if path.is_file()},
        )


@dataclass(slots=True)
class Recorder:
    """Records the folder `root` into files in `work`. Run programs with `environment`. `journaled`: see Disk."""

    root: Path
    work: Path
    journaled: str | None = None
    start: Start = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        self.start = Start.of(self.root)
        self.log.touch()
        (self.work / "lock").write_bytes(bytes(8))

    @property
    def log(self) -> Path:
        """The file of the records."""
        return self.work / "log"

    def environment(self) -> dict[str, str]:
        """Return the variables with which a program is recorded."""
        return {
            "LD_PRELOAD": str(built(self.work)),
            "POWERCUT_ROOT": str(self.root.resolve()),
            "POWERCUT_LOG": str(self.log),
            "POWERCUT_LOCK": str(self.work / "lock"),
        }

    def mark(self, what: str, **fields: Any) -> None:
        """Record something that the test knows, such as an answer that it got."""
        mark(self.log, what, **fields)

    def records(self) -> list[Record]:
        """Return all records so far."""
        return list(_parsed(self.log.read_bytes()))


def mark(log: Path, what: str, **fields: Any) -> None:
    """Write a MARK to the file of the records; also for recorded programs, to which POWERCUT_LOG names it."""
    text = json.dumps({"what": what, **fields}).encode()
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, _HEAD.pack(Operation.MARK, 0, 0, 0, 0, 0, len(text)) + text)
    finally:
        os.close(descriptor)


def built(work: Path) -> Path:
    """Compile the recorder into a folder, if needed, and return the library."""
    library = work / "recorder.so"
    if not library.exists():
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, capture_output=True, text=True)
    return library


def _parsed(log: bytes) -> Iterator[Record]:
    place = 0
    while place < len(log):
        kind, path, path2, flags, inode, offset, length = _HEAD.unpack_from(log, place)
        operation = Operation(kind)
        place += _HEAD.size
        names = log[place : place + path + path2]
        place += path + path2
        size = length if operation in {Operation.WRITE, Operation.SYNC, Operation.MARK} else 0
        data = log[place : place + size]
        place += size
        before, after = os.fsdecode(names[:path]).removesuffix(_UNLINKED), os.fsdecode(names[path:])
        yield Record(operation, inode, offset, before, after, data, bool(flags))
