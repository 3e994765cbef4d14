"""Image file directories (IFDs) of TIFF and EXIF. Pure."""

import struct
from dataclasses import dataclass
from typing import Self

_LENGTHS = {1: 1, 3: 2, 4: 4, 16: 8}  # bytes of each type of unsigned integers: BYTE, SHORT, LONG, LONG8
_MOST_ENTRIES = 4096
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


@dataclass(frozen=True, slots=True)
class Directory:
    """The first directory of a file. `entries`: by tag its type, its count and the position of its value or offset."""

    data: bytes
    order: str
    is_big: bool
    entries: dict[int, tuple[int, int, int]]

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read the directory of a TIFF or of EXIF data; raises struct.error or ValueError if it is damaged."""
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None:
            raise ValueError("the byte order is missing")
        (version,) = struct.unpack_from(order + "H", data, 2)
        is_big = version == 43
        (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
        (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, start)
        at = start + (8 if is_big else 2)
        form, length = (order + "HHQ", 20) if is_big else (order + "HHI", 12)
        count = max(0, min(count, _MOST_ENTRIES, (len(data) - at) // length))
        entries: dict[int, tuple[int, int, int]] = {}
        for place in range(at, at + count * length, length):
            tag, kind, values = struct.unpack_from(form, data, place)
            entries.setdefault(tag, (kind, values, place + (12 if is_big else 8)))
        return cls(data, order, is_big, entries)

    def count(self, tag: int) -> int:
        """Return how many values a tag has."""
        return self.entries[tag][1] if tag in self.entries else 0

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return a tag's unsigned integers; empty if the tag is missing, of another type or outside the file."""
        kind, count, place = self.entries.get(tag, (0, 0, 0))
        length = _LENGTHS.get(kind, 0) * count
        if not length or length > len(self.data):
            return ()
        if length > (8 if self.is_big else 4):
            (place,) = struct.unpack_from(self.order + ("Q" if self.is_big else "I"), self.data, place)
        if place + length > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{count}{_LETTERS[kind]}", self.data, place)
