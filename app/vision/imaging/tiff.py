"""TIFF files: checks of the first directory, before any pixel is decoded (TIFF 6.0, 1992). Pure."""

import struct
from collections.abc import Mapping

from app.errors import ImageDamaged, ImageTooCostly, ImageUnsupported, TooManyPixels
from app.vision.imaging import jpeg
from app.vision.imaging.ifd import Directory

_SUBFILE, _WIDTH, _HEIGHT, _DEPTHS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _STRIP_LENGTHS, _TILES, _TILE_LENGTHS, _SUB_IFDS, _FORMATS = 273, 277, 279, 324, 325, 330, 339
_DNG_VERSION = 50706
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946, 50000})
_OTHER_COMPRESSIONS: Mapping[int, str] = {
    6: "old-style JPEG",
    9: "JBIG",
    10: "JBIG",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI LogL",
    34677: "SGI Log24",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_JPEG = 7
_REDUCED = 1
_UNSIGNED, _SIGNED = 1, 2
_WHITE_IS_ZERO = 0
_SAMPLE_FORMATS = {2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}
_MOST_PIECES = 100_000
_MOST_JPEGS = 10_000
_SAVE = "save it as a JPEG or PNG"
SAVE_GREY = "save it as 8- or 16-bit grey or as a PNG"


def require_decodable(data: bytes, *, most_bytes: int) -> None:
    """Raise ImageDamaged, ImageUnsupported, ImageTooCostly or TooManyPixels if the first picture must not be decoded.

    `most_bytes` is the limit of its decoded samples.
    """
    try:
        directory = Directory.of(data)
        _require_no_raw(data, directory)
        _require_compression(directory)
        _require_size(directory, most_bytes)
        _require_known_grey(data, directory)
        _require_few_pieces(data, directory)
    except (struct.error, ValueError):
        raise ImageDamaged("TIFF") from None


def layout(data: bytes) -> str | None:
    """Return a description of how the first picture is stored; None if the directory lacks it."""
    try:
        directory = Directory.of(data)
    except (struct.error, ValueError):
        return None
    depths = directory.numbers(_DEPTHS) or (1,)
    samples = (directory.numbers(_SAMPLES) or (len(depths),))[0]
    kind = _SAMPLE_FORMATS.get((directory.numbers(_FORMATS) or (1,))[0], "")
    has_size = all(directory.numbers(tag) for tag in (_WIDTH, _HEIGHT))
    has_pixels = any(tag in directory.entries for tag in (_STRIPS, _TILES))
    if not has_size or not has_pixels or _PHOTOMETRIC not in directory.entries:
        return None
    return f"TIFF of {samples} {kind}sample{'s' * (samples != 1)} of {depths[0]} bits a pixel"


def _require_no_raw(data: bytes, directory: Directory) -> None:
    """Raise ImageUnsupported for cameras' RAW files, whose first picture is at best a preview."""
    is_preview = _SUB_IFDS in directory.entries and directory.numbers(_SUBFILE) == (_REDUCED,)
    if data[8:10] == b"CR" or _DNG_VERSION in directory.entries or is_preview:
        raise ImageUnsupported("a camera's RAW file", _SAVE)


def _require_compression(directory: Directory) -> None:
    number = (directory.numbers(_COMPRESSION) or (1,))[0]
    if number not in _COMPRESSIONS:
        name = _OTHER_COMPRESSIONS.get(number, f"number {number}")
        raise ImageUnsupported(f"a TIFF with the compression {name}", _SAVE)


def _require_size(directory: Directory, most_bytes: int) -> None:
    width, height = (directory.numbers(tag) or (0,) for tag in (_WIDTH, _HEIGHT))
    depths = directory.numbers(_DEPTHS) or (1,)
    samples = (directory.numbers(_SAMPLES) or (len(depths),))[0]
    bytes_a_pixel = -(-max(depths) * max(samples, len(depths)) // 8)
    if width[0] * height[0] * bytes_a_pixel > most_bytes:
        raise TooManyPixels(
            f"the photo has {width[0]} x {height[0]} pixels of {bytes_a_pixel} bytes; "
            f"at most {most_bytes:,} bytes are accepted"
        )


def _require_known_grey(data: bytes, directory: Directory) -> None:
    """Raise ImageUnsupported for grey whose black or white is not known, or whose black the decoder reads as white."""
    depth = (directory.numbers(_DEPTHS) or (1,))[0]
    is_grey = (directory.numbers(_SAMPLES) or (1,))[0] == 1
    form = (directory.numbers(_FORMATS) or (_UNSIGNED,))[0]
    is_inverted = directory.numbers(_PHOTOMETRIC) == (_WHITE_IS_ZERO,) and depth > 8
    is_unscaled = form == _SIGNED or (form == _UNSIGNED and depth > 16)
    kind = layout(data)
    if is_grey and (is_inverted or is_unscaled) and kind is not None:
        white = " in which 0 is white" if is_inverted else ""
        raise ImageUnsupported(f"a {kind}{white}", SAVE_GREY)


def _require_few_pieces(data: bytes, directory: Directory) -> None:
    is_jpeg = directory.numbers(_COMPRESSION) == (_JPEG,)
    pieces = max(directory.count(_STRIPS), directory.count(_TILES))
    if pieces > (_MOST_JPEGS if is_jpeg else _MOST_PIECES):
        raise ImageTooCostly(f"the TIFF is stored in {pieces:,} pieces", "save it with larger strips or tiles")
    if not is_jpeg:
        return
    blocks = 0
    for starts, lengths in ((_STRIPS, _STRIP_LENGTHS), (_TILES, _TILE_LENGTHS)):
        for start, length in zip(directory.numbers(starts), directory.numbers(lengths), strict=False):
            blocks += jpeg.read(data[start : start + length]).blocks
            if blocks > jpeg.MOST_BLOCKS:
                raise ImageTooCostly(
                    f"the JPEGs in the TIFF visit more than {jpeg.MOST_BLOCKS:,} blocks of 8x8 pixels", _SAVE
                )
