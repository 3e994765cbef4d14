"""Orientation of a photo: read from EXIF or XMP, applied to pixels. Pure."""

import re
import struct
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from app.types import Pixels
from app.vision.imaging.ifd import Directory

_ORIENTATION = 0x0112
_UPRIGHT = 1
_XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")
_EXIF = b"Exif\0\0"

_TURNS: Mapping[int, Callable[[Pixels], cv2.typing.MatLike]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def of_exif(exif: bytes) -> int:
    """Return the orientation (1 to 8) of EXIF data; 1 if it is missing or damaged."""
    try:
        values = Directory.of(exif.removeprefix(_EXIF)).numbers(_ORIENTATION)
    except (struct.error, ValueError):
        return _UPRIGHT
    return values[0] if values and values[0] in _TURNS else _UPRIGHT


def of_xmp(xmp: bytes) -> int:
    """Return the orientation (1 to 8) of an XMP packet; 1 if it is missing."""
    match = _XMP.search(xmp)
    return int(match[1]) if match else _UPRIGHT


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Return pixels (height, width, 3), uint8, rotated or mirrored by an orientation (1 to 8)."""
    rotate = _TURNS.get(orientation)
    return pixels if rotate is None else rotate(pixels).astype(np.uint8, copy=False)
