"""Geometry of MTCNN: pyramid, sliding windows, offsets, crops. Pure.

As published (Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE
SPL 2016, and the authors' MATLAB code), with two differences. Coordinates are half-open and start at 0; MATLAB's
start at 1. `MARGIN`, `LARGEST_FACE` and `GREY` are for faces at the photo's edge or larger than the photo.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Floats, Pixels

WINDOW = 12
"""Side of the window of one P-Net cell, in pixels of a pyramid level."""

STRIDE = 2
"""Distance between two neighbouring windows, in the same pixels."""

MARGIN = 4
"""Width of the grey border around a pyramid level, so that windows may cross the edge (published: 0)."""

LARGEST_FACE = 1.4
"""Side of the largest face to detect, as a share of the photo's short side (published: at most 1).

The short side of the smallest level, WINDOW / LARGEST_FACE, plus both margins must be at least one window.
"""

GREY = 127
"""Pixel value beyond the photo's edge, which the networks see as 0 (published: black)."""

MIDDLE, RANGE = np.float32(127.5), np.float32(128)
"""Pixel values 0..255 are normalised to (value - MIDDLE) / RANGE."""


def pyramid(short_side: int, min_face: float, factor: float) -> list[float]:
    """Return the scales at which faces from `min_face` pixels to the largest fill P-Net's window.

    Each scale is `factor` times the previous one; the last may be closer. Returns [] if the photo is too small.
    """
    largest = short_side * LARGEST_FACE
    if largest < min_face:
        return []
    steps = math.ceil(math.log(min_face / largest) / math.log(factor))
    return [*(WINDOW / min_face * factor**step for step in range(steps)), WINDOW / largest]


def resize(pixels: Pixels, scale: float) -> Pixels:
    """Return a photo (height, width, 3) resized by `scale`."""
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def normalise(pixels: Pixels) -> Floats:
    """Return the networks' input (n, 3, height, width), -1..1, of RGB pixels (n, height, width, 3)."""
    return (np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) - MIDDLE) / RANGE


def pad(level: Floats) -> Floats:
    """Return a normalised pyramid level (1, 3, height, width) with the margin around it."""
    return np.pad(level, ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))


def windows(cells: NDArray[np.intp], steps: tuple[float, float]) -> Floats:
    """Return the windows (m, 4), xyxy in the photo, of P-Net's cells (m, 2), row and column, of a padded level.

    `steps` are the photo's pixels for each pixel of the level, horizontally and vertically.
    """
    corners = cells[:, ::-1] * STRIDE - MARGIN
    boxes: Floats = (np.hstack([corners, corners + WINDOW]) * np.tile(steps, 2)).astype(np.float32)
    return boxes


def shift(boxes: Floats, offsets: Floats) -> Floats:
    """Return boxes (m, 4) whose edges are moved by offsets (m, 4), which are shares of the box's width and height."""
    sides: Floats = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return boxes + offsets * sides


def squares(boxes: Floats) -> Floats:
    """Return squares (m, 4) on whole pixels around the middle of boxes (m, 4), with the boxes' longer side."""
    sides = np.maximum(np.rint((boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)), 1)
    corners = np.rint((boxes[:, :2] + boxes[:, 2:] - sides) / 2)
    return np.hstack([corners, corners + sides])


def crops(pixels: Pixels, boxes: Floats, side: int) -> Pixels:
    """Return crops (m, side, side, 3) of `boxes` (m, 4), on whole pixels; grey beyond the photo's edge."""
    result = np.empty((len(boxes), side, side, 3), np.uint8)
    for row, (left, top, right, bottom) in enumerate(boxes.astype(int).tolist()):
        cut = _cut(pixels, left, top, right=right, bottom=bottom)
        result[row] = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
    return result


def landmarks(points: Floats, boxes: Floats) -> Floats:
    """Return landmarks (m, 5, 2) in the photo of O-Net's points (m, 10): five x, five y, as shares of the square."""
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
