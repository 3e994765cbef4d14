"""Photos in a ZIP file, which is not unpacked: photos are read into memory, and names never become disk paths."""

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Self

from app.errors import ImportInvalid, ItemInvalid, TooManyBytes
from app.names import nfc
from app.transfer.photo_folders import Item, bounded, is_skipped, item_of
from app.transfer.photo_lists import LONGEST_LIST, listed
from app.transfer.text_encodings import Encoding, decode

MOST_DIRECTORY_BYTES = 32_000_000
"""Maximum size of the central directory, which is held in memory."""
MOST_ENTRIES = 300_000
MOST_UNPACKED_TIMES, MOST_UNPACKED_MORE = 100, 100_000_000
"""Maximum ratio of the stated unpacked size to the file size; a larger ratio indicates a ZIP bomb."""

_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END64, _END64_BYTES = b"PK\x06\x06", 56
_ELSEWHERE = 0xFFFFFFFF  # the real value is in ZIP64's record
_LONGEST_COMMENT = 65_535
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_MARKED_UTF8 = 0x800
_UNICODE_PATH, _UNICODE_PATH_HEAD = 0x7075, 5  # of Info-ZIP: a version, and the CRC-32 of the raw name
_LOCAL_HEADER_BYTES = 30
_ENTRY = b"PK\x01\x02"
_OFFICE = "[Content_Types].xml"  # in every Office document
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError, RuntimeError, struct.error)
_DAMAGED_DATA = (*_DAMAGED, zlib.error, lzma.LZMAError)


class Zip:
    """Photos as in a folder, or those that a single CSV file at the top lists by their names in the ZIP.

    A single folder around all other entries is skipped. Raises ImportInvalid if the ZIP cannot be used.
    """

    def __init__(self, path: Path, *, is_flat: bool = False, encoding: Encoding | None = None) -> None:
        try:
            _require_small_directory(path)
            self._file = zipfile.ZipFile(path)
        except UnicodeDecodeError as error:
            raise ImportInvalid("a name in the ZIP is marked as UTF-8 but is not; create the ZIP again") from error
        except _DAMAGED as error:
            raise ImportInvalid("the file is not a ZIP, or is damaged") from error
        try:
            self._infos = _contents(self._file, path.stat().st_size, encoding)
            self.items: list[Item] = self._items(is_flat=is_flat, encoding=encoding)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, item: Item, most_bytes: int) -> bytes:
        """See `Source.read`."""
        info = self._infos.get(item.where)
        if info is None:
            raise ItemInvalid("there is no such file in the ZIP")
        if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
            raise ItemInvalid("it is a link or a device, not a file")
        if info.flag_bits & _ENCRYPTED:
            raise ItemInvalid("it is encrypted")
        if info.compress_type not in _METHODS:
            raise ItemInvalid("it uses an unsupported compression; only deflate is supported")
        if info.file_size > most_bytes:  # refused before unpacking
            raise TooManyBytes(most_bytes, info.file_size)
        try:
            with self._file.open(info) as file:
                return bounded(file.read(most_bytes + 1), most_bytes)
        except _DAMAGED_DATA as error:
            raise ItemInvalid("it is damaged in the ZIP") from error

    def _items(self, *, is_flat: bool, encoding: Encoding | None) -> list[Item]:
        top = _common_folder(list(self._infos), is_flat=is_flat)
        names = {name.removeprefix(top): name for name in self._infos}
        lists = [name for name in names if name.lower().endswith(".csv") and "/" not in name]
        if len(lists) > 1:
            raise ImportInvalid("the ZIP has several CSV files at its top: keep one of them")
        if lists:
            try:
                data = self.read(Item("", "", names[lists[0]]), LONGEST_LIST)
            except TooManyBytes as error:
                raise ImportInvalid(f"the CSV has more than {LONGEST_LIST:,} bytes; split it into parts") from error
            except ItemInvalid as error:
                raise ImportInvalid(f"the CSV cannot be read: {error}") from error
            spelled = {nfc(name): whole for name, whole in names.items()}
            return [replace(each, where=spelled.get(nfc(each.where), each.where)) for each in listed(data, encoding)]
        # Sorted by person first, so that "a-b/1" does not come between "a/1" and "a/2".
        ordered = sorted(names, key=lambda name: name.split("/"))
        return [replace(item_of(name, is_flat=is_flat), where=names[name]) for name in ordered]


def _contents(file: zipfile.ZipFile, size: int, encoding: Encoding | None) -> dict[str, zipfile.ZipInfo]:
    """Return the files by their names, with slashes.

    Raises ImportInvalid if the ZIP cannot be used, and EncodingUnknown if no encoding of its names is certain.
    """
    if _OFFICE in file.namelist():
        what = "an Office document, as .xlsx files are, not a ZIP of photos"
        raise ImportInvalid(f"the file is {what}; save a list as CSV UTF-8")
    infos = [each for each in file.infolist() if not _is_skipped(each.orig_filename.replace("\\", "/"))]
    if sum(each.file_size for each in infos) > MOST_UNPACKED_TIMES * size + MOST_UNPACKED_MORE:
        raise ImportInvalid("the ZIP unpacks to far more than photos can")
    _require_apart(infos)
    names = [each.replace("\\", "/").removeprefix("./") for each in _names(infos, encoding)]
    files = [(name, info) for name, info in zip(names, infos, strict=True) if not name.endswith("/")]
    found = dict(files)
    if len(found) < len(files):
        raise ImportInvalid("the ZIP has several files of one name")
    return found


def _names(infos: Sequence[zipfile.ZipInfo], encoding: Encoding | None) -> list[str]:
    """Return the names. Those without a Unicode mark use the given encoding, or UTF-8 if it is certain for all."""
    names, unmarked = list[str](), list[tuple[int, bytes]]()
    for at, info in enumerate(infos):
        raw = info.orig_filename.encode("utf-8" if info.flag_bits & _MARKED_UTF8 else "cp437")
        unicode = _unicode_path(
            info, raw
        )  # also for an ASCII name: packers write "?" for characters that they cannot encode
        if unicode is None and not info.flag_bits & _MARKED_UTF8 and not raw.isascii():
            unmarked.append((at, raw))
        names.append(unicode or info.orig_filename)
    if encoding is None and unmarked:
        decode(b"\n".join(raw for _, raw in unmarked), None, "the list of names in the ZIP")
    for at, raw in unmarked:
        names[at] = decode(raw, encoding or Encoding.UTF_8, "a name in the ZIP")
    return names


def _unicode_path(info: zipfile.ZipInfo, raw: bytes) -> str | None:
    """Return the name in Info-ZIP's extra field for the raw name, if the field exists."""
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        data, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(data) > _UNICODE_PATH_HEAD:
            version, crc = struct.unpack_from("<BL", data)
            if version == 1 and crc == zlib.crc32(raw):
                try:
                    return data[_UNICODE_PATH_HEAD:].decode("utf-8")
                except UnicodeDecodeError:
                    return None
    return None


def _require_apart(infos: Sequence[zipfile.ZipInfo]) -> None:
    """Raise ImportInvalid if files share bytes: a small ZIP could contain any number of large files that way."""
    spans = sorted((each.header_offset, each.compress_size) for each in infos)
    if any(at + _LOCAL_HEADER_BYTES + size > after for (at, size), (after, _) in pairwise(spans)):
        raise ImportInvalid("files in the ZIP overlap")


def _is_skipped(name: str) -> bool:
    return any(is_skipped(part) for part in name.split("/") if part not in {".", ".."})


def _common_folder(names: list[str], *, is_flat: bool) -> str:
    """Return the single folder around all entries, with its slash, or an empty string.

    A folder with photos directly in it is a person's own folder (unless `is_flat`), with or without further folders.
    """
    tops = {name.partition("/")[0] for name in names}
    rest = [name.partition("/")[2] for name in names]
    if len(tops) != 1 or "" in tops | set(rest):
        return ""
    has_list = any(each.lower().endswith(".csv") for each in rest if "/" not in each)
    has_photos = any(each.lower().endswith(PHOTO_SUFFIXES) for each in rest if "/" not in each)
    is_wrapped = has_list or is_flat or (any("/" in each for each in rest) and not has_photos)
    return f"{tops.pop()}/" if is_wrapped else ""


def _require_small_directory(path: Path) -> None:
    """Raise ImportInvalid if the central directory is too large for memory; reads only the end of the file."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES - _END64_BYTES, 0))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or at + _END_BYTES > len(tail):
            raise zipfile.BadZipFile
        claimed = [struct.unpack_from("<L", tail, at + 12)[0]]
        locator = tail[max(at - _LOCATOR_BYTES, 0) : at]
        if locator.startswith(_LOCATOR):  # ZIP64: readers search right before the locator, or at its stated offset
            before = tail[: at - _LOCATOR_BYTES][-_END64_BYTES:]
            file.seek(min(struct.unpack_from("<Q", locator, 8)[0], size))
            there = file.read(_END64_BYTES)
            claimed += [struct.unpack_from("<Q", each, 40)[0] for each in (before, there) if each.startswith(_END64)]
        if len(claimed) > 1 and claimed[0] == _ELSEWHERE:
            claimed = claimed[1:]
        if max(claimed) > MOST_DIRECTORY_BYTES:
            raise ImportInvalid(f"the ZIP's list of contents has more than {MOST_DIRECTORY_BYTES:,} bytes; split it")
        file.seek(max(size - len(tail) - max(claimed), 0))
        if file.read().count(_ENTRY) > MOST_ENTRIES:
            raise ImportInvalid(f"the ZIP has more than {MOST_ENTRIES:,} files; split it into parts")
