"""The geometry of MTCNN: pyramid, sliding windows, offsets, crops; pure.

As published (Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE
SPL 2016, and the authors' MATLAB code), but in half-open pixel coordinates from 0, where MATLAB counts from 1, and
with three changes for faces at the photo's edge or larger than the photo: `MARGIN`, `LARGEST_FACE` and `GREY`.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Floats, Pixels

WINDOW = 12
"""Side of what one cell of P-Net sees, in pixels of a pyramid level."""

STRIDE = 2
"""Distance between two cells of P-Net, in the same pixels."""

MARGIN = 4
"""Grey about a pyramid level, in the same pixels, so that windows may reach beyond the edge (published: 0)."""

LARGEST_FACE = 1.4
"""Side of the largest face looked for, as a share of the photo's short side (published: at most 1).

`MARGIN` must bring the short side of the smallest level, WINDOW / LARGEST_FACE, up to a window again.
"""

GREY = 127
"""What lies beyond the photo's edge: the networks' zero (published: black)."""

MIDDLE, RANGE = np.float32(127.5), np.float32(128)
"""Pixel values 0..255 become (value - MIDDLE) / RANGE."""


def pyramid(short_side: int, min_face: float, factor: float) -> list[float]:
    """Return the scales at which faces from `min_face` pixels to the largest fill P-Net's window.

    Each is `factor` times the one before, the last one perhaps more; none when the photo is too small for a face.
    """
    largest = short_side * LARGEST_FACE
    if largest < min_face:
        return []
    steps = math.ceil(math.log(min_face / largest) / math.log(factor))
    return [*(WINDOW / min_face * factor**step for step in range(steps)), WINDOW / largest]


def resize(pixels: Pixels, scale: float) -> Pixels:
    """Return a photo (height, width, 3) at `scale`."""
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def normalise(pixels: Pixels) -> Floats:
    """Turn RGB pixels (n, height, width, 3) into what the networks take: (n, 3, height, width), -1..1."""
    return (np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) - MIDDLE) / RANGE


def pad(level: Floats) -> Floats:
    """Add the margin to a normalised pyramid level (1, 3, height, width)."""
    return np.pad(level, ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))


def windows(cells: NDArray[np.intp], steps: tuple[float, float]) -> Floats:
    """Return the windows (m, 4), xyxy in the photo, of P-Net's cells (m, 2), row and column, over a padded level.

    `steps`: how many pixels of the photo one pixel of the level is across and down.
    """
    corners = cells[:, ::-1] * STRIDE - MARGIN
    boxes: Floats = (np.hstack([corners, corners + WINDOW]) * np.tile(steps, 2)).astype(np.float32)
    return boxes


def shift(boxes: Floats, offsets: Floats) -> Floats:
    """Move each edge of boxes (m, 4) by offsets (m, 4), which are shares of the box's width and height."""
    sides: Floats = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return boxes + offsets * sides


def squares(boxes: Floats) -> Floats:
    """Return squares (m, 4) on whole pixels about the middle of boxes (m, 4), as large as their longer side."""
    sides = np.maximum(np.rint((boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)), 1)
    corners = np.rint((boxes[:, :2] + boxes[:, 2:] - sides) / 2)
    return np.hstack([corners, corners + sides])


def crops(pixels: Pixels, boxes: Floats, side: int) -> Pixels:
    """Cut `boxes` (m, 4), on whole pixels, out of a photo: (m, side, side, 3); grey where they reach beyond it."""
    result = np.empty((len(boxes), side, side, 3), np.uint8)
    for row, (left, top, right, bottom) in enumerate(boxes.astype(int).tolist()):
        cut = _cut(pixels, left, top, right=right, bottom=bottom)
        result[row] = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
    return result


def landmarks(points: Floats, boxes: Floats) -> Floats:
    """Place O-Net's points (m, 10), five x then five y as shares of the square, in the photo: (m, 5, 2)."""
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    return boxes[:, None, :2] + points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides


def _cut(pixels: Pixels, left: int, top: int, *, right: int, bottom: int) -> Pixels:
    inside = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    height, width = inside.shape[:2]
    if (height, width) == (bottom - top, right - left):
        return inside
    cut = np.full((bottom - top, right - left, 3), GREY, np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    cut[y : y + height, x : x + width] = inside
    return cut
