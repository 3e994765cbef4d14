"""Photos in a ZIP file, which is never unpacked: each is read into memory, and no name in it is a path on a disk."""

import lzma
import os
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Self

from app.errors import ImportInvalid, ItemInvalid, TooManyBytes
from app.jobs.listed import LONGEST_LIST, listed
from app.jobs.sources import Item, bounded, is_skipped, item_of

MOST_DIRECTORY_BYTES = 32_000_000
"""Of the list of contents, which is held in memory: some 300,000 photos."""
MOST_UNPACKED_TIMES, MOST_UNPACKED_MORE = 100, 100_000_000
"""A file whose contents are said to be larger than that many times its own size, and more, is a bomb."""

_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END64, _END64_BYTES = b"PK\x06\x06", 56
_ELSEWHERE = 0xFFFFFFFF  # said in ZIP64's record
_LONGEST_COMMENT = 65_535
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError, RuntimeError, struct.error)
_DAMAGED_DATA = (*_DAMAGED, zlib.error, lzma.LZMAError)


class Zip:
    """Photos as in a folder; or, if there is one CSV file at the top, those that it lists by their names in here.

    A folder that holds everything else is looked into. Raises ImportInvalid.
    """

    def __init__(self, path: Path, *, is_flat: bool = False) -> None:
        try:
            _require_small_directory(path)
            self._file = zipfile.ZipFile(path)
        except _DAMAGED as error:
            raise ImportInvalid("the file is no ZIP, or a damaged one") from error
        try:
            self._infos = _contents(self._file, path.stat().st_size)
            self.items: list[Item] = self._items(is_flat=is_flat)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, item: Item, most_bytes: int) -> bytes:
        """See Source."""
        info = self._infos.get(item.where)
        if info is None:
            raise ItemInvalid("there is no such file in the ZIP")
        if info.flag_bits & _ENCRYPTED:
            raise ItemInvalid("it is encrypted")
        if info.compress_type not in _METHODS:
            raise ItemInvalid("it is compressed in a way that is not accepted; only deflate is")
        if info.file_size > most_bytes:  # said before a byte is unpacked
            raise TooManyBytes(f"the photo has {info.file_size:,} bytes; at most {most_bytes:,} are accepted")
        try:
            with self._file.open(info) as file:
                return bounded(file.read(most_bytes + 1), most_bytes)
        except _DAMAGED_DATA as error:
            raise ItemInvalid("it is damaged in the ZIP") from error

    def _items(self, *, is_flat: bool) -> list[Item]:
        top = _common_folder(list(self._infos))
        names = {name.removeprefix(top): name for name in self._infos}
        lists = [name for name in names if name.lower().endswith(".csv") and "/" not in name]
        if len(lists) > 1:
            raise ImportInvalid("the ZIP has several CSV files at its top; which one counts cannot be known")
        if lists:
            data = self.read(Item("", "", names[lists[0]]), LONGEST_LIST)
            return [replace(each, where=names.get(each.where, each.where)) for each in listed(data)]
        # By person first: "a/1", "a/2", "a-b/1", and not "a-b/1" between those of "a".
        ordered = sorted(names, key=lambda name: name.split("/"))
        return [replace(item_of(name, is_flat=is_flat), where=names[name]) for name in ordered]


def _contents(file: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    infos = [each for each in file.infolist() if not each.is_dir() and not _is_skipped(each.filename)]
    if sum(each.file_size for each in infos) > MOST_UNPACKED_TIMES * size + MOST_UNPACKED_MORE:
        raise ImportInvalid("the ZIP unpacks to far more than photos could")
    found = {each.filename: each for each in infos}
    if len(found) < len(infos):
        raise ImportInvalid("the ZIP has several files of one name")
    return found


def _is_skipped(name: str) -> bool:
    return any(is_skipped(part) for part in name.split("/") if part not in {".", ".."})


def _common_folder(names: list[str]) -> str:
    """Return the one folder, with its slash, that has all files at least two levels below, or in it beside a CSV."""
    tops = {name.partition("/")[0] for name in names}
    rest = [name.partition("/")[2] for name in names]
    is_wrapped = any("/" in each for each in rest) or any(each.lower().endswith(".csv") for each in rest)
    return f"{tops.pop()}/" if len(tops) == 1 and is_wrapped else ""


def _require_small_directory(path: Path) -> None:
    """Raise ImportInvalid when the list of contents is too large to be held; looks at the end of the file alone."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES - _END64_BYTES, 0))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or at + _END_BYTES > len(tail):
            raise zipfile.BadZipFile
        claimed = [struct.unpack_from("<L", tail, at + 12)[0]]
        locator = tail[max(at - _LOCATOR_BYTES, 0) : at]
        if locator.startswith(_LOCATOR):  # ZIP64: readers look right before the locator, or where it says
            before = tail[: at - _LOCATOR_BYTES][-_END64_BYTES:]
            file.seek(min(struct.unpack_from("<Q", locator, 8)[0], size))
            there = file.read(_END64_BYTES)
            claimed += [struct.unpack_from("<Q", each, 40)[0] for each in (before, there) if each.startswith(_END64)]
    if len(claimed) > 1 and claimed[0] == _ELSEWHERE:
        claimed = claimed[1:]
    if max(claimed) > MOST_DIRECTORY_BYTES:
        raise ImportInvalid(f"the ZIP's list of contents has more than {MOST_DIRECTORY_BYTES:,} bytes; send parts")
