"""PNG files: the chunks that pixels need, and the orientation. Pure.

Text, colour profiles and further frames do not reach the decoder, so it does not matter if they are long or damaged.
"""

import struct
import zlib
from dataclasses import dataclass

from app.errors import ImageDamaged, ImageTooCostly
from app.vision.imaging import orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the type of colour
_LENGTHS = 8  # of a chunk's length and kind
_MOST_CHUNKS = 100_000
_MOST_TEXT = 200_000  # bytes of text that may hold an orientation
_LONGEST_KEYWORD = 80
_XMP = b"XML:com.adobe.xmp\0"
_RAW_PROFILES = (b"Raw profile type exif\0", b"Raw profile type APP1\0")


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG without metadata, its size and its orientation.

    `bytes_a_pixel` counts decompressed bytes, twice if the PNG is interlaced.
    """

    data: bytes
    width: int
    height: int
    orientation: int
    bytes_a_pixel: int


def read(data: bytes) -> Png:
    """Read the chunks of a PNG.

    Raises ImageTooCostly if there are too many chunks, ImageDamaged if there are no pixels.
    """
    header, palette, pixels, at = b"", b"", list[bytes](), len(SIGNATURE)
    orientations: dict[str, int] = {}
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, start = data[at + 4 : at + _LENGTHS], at + _LENGTHS
        at = start + length + 4
        if kind == b"IDAT":
            pixels.append(data[start : start + length])
        elif kind in {b"IHDR", b"PLTE", b"tRNS"}:
            if pixels and kind != b"tRNS":
                break
            if zlib.crc32(data[start - 4 : start + length]) != int.from_bytes(data[at - 4 : at], "big"):
                raise ImageDamaged("PNG", f"damaged: the checksum of its chunk {kind.decode()} is wrong")
            header, palette = (data[start : start + length], palette) if kind == b"IHDR" else (header, palette)
            if kind != b"IHDR":
                palette += data[start - _LENGTHS : at]
        elif (source := _source(kind, data[start : start + _LONGEST_KEYWORD])) and source not in orientations:
            orientations[source] = _orientation(kind, data[start : start + length])
        if not kind or kind == b"IEND":
            break
    else:
        raise ImageTooCostly(f"the PNG has more than {_MOST_CHUNKS:,} chunks")
    if not pixels or len(header) != 13:
        raise ImageDamaged("PNG")
    width, height, depth, colour, *_, interlace = struct.unpack(">IIBBBBB", header)
    bytes_a_pixel = -(-_CHANNELS.get(colour, 4) * depth // 8) * (2 if interlace else 1)
    parts = [SIGNATURE, _chunk(b"IHDR", header), palette, _chunk(b"IDAT", b"".join(pixels)), _chunk(b"IEND", b"")]
    turned = next((value for value in orientations.values() if value != 1), 1)
    return Png(b"".join(parts), width, height, turned, bytes_a_pixel)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _source(kind: bytes, start: bytes) -> str:
    """Return the kind of metadata in a chunk that may hold an orientation: EXIF, XMP, or EXIF as ImageMagick's text.

    Empty for other chunks.
    """
    if kind == b"eXIf":
        return "EXIF"
    if kind == b"iTXt" and start.startswith(_XMP):
        return "XMP"
    return "text" if kind in {b"tEXt", b"zTXt"} and start.startswith(_RAW_PROFILES) else ""


def _orientation(kind: bytes, data: bytes) -> int:
    if kind == b"eXIf":
        return orientation.of_exif(data)
    if kind == b"iTXt":
        return orientation.of_xmp(data[:_MOST_TEXT])
    text = data.partition(b"\0")[2]
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], _MOST_TEXT)
        return orientation.of_exif(bytes.fromhex(b"".join(text[:_MOST_TEXT].split()[2:]).decode("ascii")))
    except (zlib.error, ValueError):
        return 1
