"""Reads flatbuffers, the container of TFLite files, without trusting a single offset in them.

The format: https://flatbuffers.dev/internals. The `flatbuffers` package answers damaged bytes with whatever error comes
first, and with a negative offset it reads from the end; here there is one error, and one place that raises it.
"""

import struct

import numpy as np

from app.errors import NetworkInvalid


class Table:
    """One table; its fields go by their number in the schema, and may be left out. All methods raise NetworkInvalid."""

    def __init__(self, data: bytes, at: int) -> None:
        """Take the table at position `at` of the file; raises NetworkInvalid when there can be none."""
        self._data, self._at = data, at
        self._fields = at - _number(data, "i", at)
        self._size = _number(data, "H", self._fields)

    def number(self, field: int, form: str, default: int = 0) -> int:
        """Return an integer field of the `struct` form b (int8), i (int32) or I (uint32)."""
        at = self._field(field)
        return default if at is None else _number(self._data, form, at)

    def table(self, field: int) -> "Table | None":
        """Return a table inside this one, None when it was left out."""
        at = self._target(field)
        return None if at is None else Table(self._data, at)

    def vector(self, field: int, width: int = 1) -> bytes:
        """Return a vector's elements, each `width` bytes wide; empty when it was left out."""
        at = self._target(field)
        if at is None:
            return b""
        end = at + 4 + width * _number(self._data, "I", at)
        if end > len(self._data):
            raise _damaged()
        return self._data[at + 4 : end]

    def integers(self, field: int) -> tuple[int, ...]:
        """Return a vector of int32."""
        return tuple(np.frombuffer(self.vector(field, 4), "<i4").tolist())

    def tables(self, field: int) -> "list[Table]":
        """Return a vector of tables."""
        first = (self._target(field) or 0) + 4
        offsets = np.frombuffer(self.vector(field, 4), "<u4").tolist()
        return [Table(self._data, first + 4 * position + offset) for position, offset in enumerate(offsets)]

    def _field(self, field: int) -> int | None:
        """Return where a field lies, None when it was left out."""
        slot = 4 + 2 * field
        offset = _number(self._data, "H", self._fields + slot) if slot < self._size else 0
        return self._at + offset if offset else None

    def _target(self, field: int) -> int | None:
        """Return where the table or vector lies that a field points to."""
        at = self._field(field)
        return None if at is None else at + _number(self._data, "I", at)


def root(data: bytes) -> Table:
    """Return the outermost table of the file; raises NetworkInvalid when it is damaged."""
    return Table(data, _number(data, "I", 0))


def _number(data: bytes, form: str, at: int) -> int:
    """Read one little-endian integer; every offset of the file passes here."""
    if not 0 <= at <= len(data) - struct.calcsize(f"<{form}"):
        raise _damaged()
    return int(struct.unpack_from(f"<{form}", data, at)[0])


def _damaged() -> NetworkInvalid:
    return NetworkInvalid("the TFLite file is truncated or damaged")
