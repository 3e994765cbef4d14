"""AVIF files: the number of pixels in their AV1 data, which the container may state wrongly. Pure.

Boxes: ISO/IEC 14496-12 and 23008-12. AV1's open bitstream units (OBUs): AV1 specification, 5.3 and 5.5.
"""

import struct
from collections.abc import Iterator

from app.errors import ImageDamaged, ImageTooCostly
from app.vision.imaging.iso import Bits, boxes, locations

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6
_MOST_UNITS = 1_000
_HIGHEST_LEVEL_WITHOUT_TIER = 7


def coded_pixels(data: bytes) -> int:
    """Return the pixels of all frames that a decoder may decode for the first picture, including alpha and tiles.

    Raises ImageDamaged if the boxes cannot be followed, ImageTooCostly if there are too many items or units.
    """
    try:
        return sum(_pixels(piece) for piece in _pieces(data))
    except (struct.error, IndexError, ValueError):
        raise ImageDamaged("AVIF") from None


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield the AV1 data of each coded item, and of the first sample of each track."""
    for kind, start, end in boxes(data, 0, len(data)):
        if kind == b"meta":
            yield from _items(data, start + 4, end)
        elif kind == b"moov":
            for track, first, last in boxes(data, start, end):
                if track == b"trak":
                    yield from _first_sample(data, first, last)


def _items(data: bytes, start: int, end: int) -> Iterator[bytes]:
    inside = {kind: (first, last) for kind, first, last in boxes(data, start, end)}
    if b"iloc" not in inside or b"iinf" not in inside:
        return
    coded = set(_coded_items(data, *inside[b"iinf"]))
    base = inside.get(b"idat", (0, 0))[0]
    read = 0
    for item, extents in locations(data, inside[b"iloc"][0], base).items():
        if item in coded:
            read += sum(max(0, min(length or len(data), len(data) - at)) for at, length in extents)
            if read > 2 * len(data):
                raise ImageTooCostly("the items of the AVIF are larger than the file")
            yield b"".join(data[at : at + length] if length else data[at:] for at, length in extents)


def _coded_items(data: bytes, start: int, end: int) -> Iterator[int]:
    """Yield the ids of the items that are AV1 pictures, not grids or metadata."""
    version = data[start]
    for kind, at, _ in boxes(data, start + (6 if version == 0 else 8), end):
        if kind == b"infe":
            is_wide = data[at] > 2
            item, name = struct.unpack_from(">I2x4s" if is_wide else ">H2x4s", data, at + 4)
            if name == b"av01":
                yield item


def _first_sample(data: bytes, start: int, end: int) -> Iterator[bytes]:
    for name in (b"mdia", b"minf", b"stbl"):
        inner = next(((first, last) for kind, first, last in boxes(data, start, end) if kind == name), None)
        if inner is None:
            return
        start, end = inner
    tables = {kind: first for kind, first, _ in boxes(data, start, end)}
    if b"stsz" not in tables or not (b"stco" in tables or b"co64" in tables):
        return
    fixed_size, count, first_size = struct.unpack_from(">III", data, tables[b"stsz"] + 4)
    form, table = (">I", b"stco") if b"stco" in tables else (">Q", b"co64")
    (place,) = struct.unpack_from(form, data, tables[table] + 8)
    if count:
        yield data[place : place + (fixed_size or first_size)]


def _pixels(data: bytes) -> int:
    """Return the pixels of all frames in AV1 data, including hidden ones."""
    at = area = total = 0
    for _ in range(_MOST_UNITS):
        if at >= len(data):
            return total
        head = data[at]
        at += 2 if head & 4 else 1
        length = len(data) - at
        if head & 2:
            length, at = _leb128(data, at)
        kind = head >> 3 & 15
        if kind == _SEQUENCE:
            area = _area(data[at : at + length])
        elif kind in {_FRAME_HEADER, _FRAME}:
            total += area
        at += length
    raise ImageTooCostly(f"the AVIF has more than {_MOST_UNITS:,} units in one picture")


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if not byte & 128:
            return value, at + place + 1
    raise ValueError("a length does not end")


def _area(header: bytes) -> int:
    """Return the largest area of a frame that a sequence header allows."""
    bits = Bits(header)
    bits.take(4)
    is_reduced = bits.take(1)
    if is_reduced:
        bits.take(5)
    else:
        _skip_operating_points(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    area = (bits.take(across) + 1) * (bits.take(down) + 1)
    # A frame may override the size with as many bits: at most four times the area of an honest header.
    return area if is_reduced else max(area, (1 << across + down) // 4)


def _skip_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            zeros = 0
            while not bits.take(1):
                zeros += 1
            bits.take(zeros)
        if bits.take(1):  # decoder model
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > _HIGHEST_LEVEL_WITHOUT_TIER:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_delays and bits.take(1):
            bits.take(4)
