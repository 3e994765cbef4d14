"""Crops around a face, cut as the networks of liveness were trained. Pure.

The networks also judge the surroundings of a face, so another crop costs them much of their accuracy.
"""

from enum import StrEnum
from typing import NamedTuple

import cv2
import numpy as np

from app.types import Box, Pixels


class CropKind(StrEnum):
    """Shape of the region around a box.

    `shifted` has the shape of the box. It is shrunk and shifted to lie in the photo (minivision-ai,
    Silent-Face-Anti-Spoofing). `reflected-square` is square. The photo is reflected beyond its edges
    (johnraivenolazo/face-antispoof-onnx).
    """

    SHIFTED = "shifted"
    REFLECTED_SQUARE = "reflected-square"


class Region(NamedTuple):
    """Whole pixels: left and top inclusive, right and bottom exclusive. They may lie beyond the photo."""

    left: int
    top: int
    right: int
    bottom: int


def shifted_region(box: Box, width: int, height: int, scale: float) -> Region:
    """Return the region `scale` times as large as a box, shrunk and shifted to lie in a photo (width, height).

    The box counts in whole pixels and includes its last ones, as that of the source's detector.
    """
    left, top, right, bottom = box
    x, y, box_width, box_height = int(left), int(top), int(right - left + 1), int(bottom - top + 1)
    scale = min((height - 1) / box_height, (width - 1) / box_width, scale)
    first_x, last_x = _shifted(x + box_width / 2, box_width * scale, width)
    first_y, last_y = _shifted(y + box_height / 2, box_height * scale, height)
    return Region(first_x, first_y, last_x + 1, last_y + 1)


def square_region(box: Box, scale: float) -> Region:
    """Return the square around a box, `scale` times as large as its longer side."""
    left, top, right, bottom = (int(each) for each in box)
    longer = max(right - left, bottom - top)
    x = int((left + right) / 2 - longer * scale / 2)
    y = int((top + bottom) / 2 - longer * scale / 2)
    side = int(longer * scale)
    return Region(x, y, x + side, y + side)


def crop(pixels: Pixels, box: Box, kind: CropKind, *, scale: float, side: int) -> Pixels:
    """Return the crop (side, side, 3) of a photo around a box that overlaps it."""
    height, width = pixels.shape[:2]
    if kind is CropKind.SHIFTED:
        left, top, right, bottom = shifted_region(box, width, height, scale)
        part, interpolation = pixels[top:bottom, left:right], cv2.INTER_LINEAR
    else:
        region = square_region(box, scale)
        part = _reflected(pixels, region)
        interpolation = cv2.INTER_LANCZOS4 if region.right - region.left < side else cv2.INTER_AREA
    return cv2.resize(part, (side, side), interpolation=interpolation).astype(np.uint8, copy=False)


def _shifted(center: float, length: float, size: int) -> tuple[int, int]:
    """Return the first and the last pixel of a range, shifted into 0..size - 1."""
    first, last = center - length / 2, center + length / 2
    if first < 0:
        first, last = 0.0, last - first
    if last > size - 1:
        first, last = first - (last - size + 1), size - 1.0
    return int(first), int(last)


def _reflected(pixels: Pixels, region: Region) -> Pixels:
    """Return a region of a photo, reflected at its edges without repeating the edge itself."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = region
    part = pixels[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    padding = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    if not any(padding):
        return part
    return cv2.copyMakeBorder(part, *padding, cv2.BORDER_REFLECT_101).astype(np.uint8, copy=False)
