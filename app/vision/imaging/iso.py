"""Boxes and items of ISO base media files, which AVIF and HEIC are (ISO/IEC 14496-12 and 23008-12). Pure."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.errors import ImageTooCostly

_MOST_BOXES = 10_000
_MOST_ITEMS = 1_000

Box = tuple[bytes, int, int]
Extents = list[tuple[int, int]]


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two positions: kind, start and end of the content."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        stop = end if length == 0 else start + length
        if stop < start + head:
            raise ValueError("a box is shorter than its head")
        yield kind, start + head, min(stop, end)
        start = stop
    raise ImageTooCostly(f"the photo has more than {_MOST_BOXES:,} boxes")


def locations(data: bytes, at: int, base: int) -> Mapping[int, Extents]:
    """Return the extents of each item: offset and length (0: to the end). `base` is the offset of idat's content."""
    version, sizes, more = data[at], data[at + 4], data[at + 5]
    widths = sizes >> 4, sizes & 15, more >> 4, (more & 15 if version else 0)
    offset, length, base_offset, index = widths
    id_width = 4 if version == 2 else 2
    cursor = Cursor(data, at + 6)
    located: dict[int, Extents] = {}
    items = cursor.number(id_width)
    if items > _MOST_ITEMS:
        raise ImageTooCostly(f"the photo has {items:,} items")
    for _ in range(items):
        item = cursor.number(id_width)
        is_inside = bool(version) and cursor.number(2) & 15 == 1
        cursor.number(2)
        start = cursor.number(base_offset) + (base if is_inside else 0)
        extents = located.setdefault(item, [])
        for _ in range(cursor.number(2)):
            cursor.number(index)
            extents.append((start + cursor.number(offset), cursor.number(length)))
            if len(extents) > _MOST_ITEMS:
                raise ImageTooCostly("an item of the photo is stored in too many pieces")
    return located


@dataclass(slots=True)
class Cursor:
    """Reader of successive big-endian numbers and bytes. Raises ValueError at the end of the data."""

    data: bytes
    at: int

    def number(self, width: int) -> int:
        """Read a number of `width` bytes."""
        return int.from_bytes(self.take(width), "big")

    def take(self, width: int) -> bytes:
        """Read `width` bytes."""
        self.at += width
        if self.at > len(self.data):
            raise ValueError("the data ends")
        return self.data[self.at - width : self.at]


class Bits:
    """Reader of bits, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data[:128].ljust(128, b"\0"), "big")
        self._left = 1024

    def take(self, count: int) -> int:
        """Read `count` bits as a number."""
        self._left -= count
        if self._left < 0:
            raise ValueError("the header is too long")
        return self._value >> self._left & ((1 << count) - 1)
