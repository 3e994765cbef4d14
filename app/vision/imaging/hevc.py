"""HEVC streams of HEIF photos: the pixels that a decoder may decode or allocate for them. Pure.

Rec. ITU-T H.265, 7.3.1 (NAL units), 7.3.2.2 (SPS) and 7.3.3 (profiles); the configuration: ISO/IEC 14496-15, 8.3.2.
"""

from collections.abc import Iterator

from app.errors import ImageTooCostly, ImageUnsupported
from app.vision.imaging.iso import Bits, Cursor

_SPS = 33
_IDR = (19, 20)
_LAST_SLICE = 31
_MOST_REFERENCES = 16  # that a decoder makes up if a picture refers to missing ones
_MOST_UNITS = 10_000
_LENGTH = 4  # bytes of a unit's length; libheif reads no other
_PROFILE_BITS, _LEVEL_BITS = 88, 8
_CHROMA_444 = 3


def coded_pixels(configuration: bytes, data: bytes) -> int:
    """Return the pixels of all pictures in `data`, each with the largest size that is declared.

    A picture that is not an IDR counts 17 times: a decoder makes up the pictures that it refers to.

    Args:
        configuration: Content of the box hvcC.
        data: The stream: units after their lengths.

    Raises:
        ValueError, IndexError: If the units cannot be followed.
        ImageTooCostly: If there are too many.
        ImageUnsupported: If the lengths of units do not take four bytes.
    """
    if configuration[21] & 3 != _LENGTH - 1:
        raise ImageUnsupported("a HEIC with short unit lengths", "save it as a JPEG or PNG")
    area = pictures = 0
    for unit in (*_configured(configuration), *_units(data)):
        kind = unit[0] >> 1 & 63
        if kind == _SPS:
            area = max(area, _area(unit[2:].replace(b"\0\0\3", b"\0\0")))
        elif kind <= _LAST_SLICE and unit[2] & 128:  # the first slice of a picture
            pictures += 1 if kind in _IDR else 1 + _MOST_REFERENCES
    if not area or not pictures:
        raise ValueError("the stream has no picture")
    return area * pictures


def _configured(configuration: bytes) -> Iterator[bytes]:
    cursor = Cursor(configuration, 22)
    for _ in range(cursor.number(1)):
        cursor.number(1)
        for _ in range(cursor.number(2)):
            yield cursor.take(cursor.number(2))


def _units(data: bytes) -> Iterator[bytes]:
    cursor = Cursor(data, 0)
    for _ in range(_MOST_UNITS):
        if cursor.at >= len(data):
            return
        yield cursor.take(cursor.number(_LENGTH))
    raise ImageTooCostly(f"the HEIC has more than {_MOST_UNITS:,} units in one picture")


def _area(parameters: bytes) -> int:
    """Return the area of the pictures that a sequence parameter set (SPS) describes."""
    bits = Bits(parameters)
    bits.take(4)
    sub_layers = bits.take(3)
    bits.take(1 + _PROFILE_BITS + _LEVEL_BITS)
    present = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.take(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        bits.take(_PROFILE_BITS * has_profile + _LEVEL_BITS * has_level)
    _exponential(bits)
    if _exponential(bits) == _CHROMA_444:
        bits.take(1)
    return _exponential(bits) * _exponential(bits)


def _exponential(bits: Bits) -> int:
    """Read an Exp-Golomb code, ue(v)."""
    zeros = 0
    while not bits.take(1):
        zeros += 1
    return (1 << zeros) - 1 + bits.take(zeros)
