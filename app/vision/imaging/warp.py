"""Crops of a photo by an affine transform. Pure."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Pixels

# Bilinear sampling reads 2x2 pixels. A photo that is shrunk by a larger factor is averaged first, to avoid aliasing.
_SHRINK_WITHOUT_AVERAGING = 2.0


def warp(pixels: Pixels, matrix: NDArray[np.float64], side: int) -> Pixels:
    """Return the crop (side, side, 3) of a photo by `matrix` (2, 3), which maps the photo to the crop."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if 0 < scale < 1 / _SHRINK_WITHOUT_AVERAGING:
        pixels, matrix = _averaged(pixels, matrix, side, factor=int(1 / scale))
    return cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _averaged(
    pixels: Pixels, matrix: NDArray[np.float64], side: int, *, factor: int
) -> tuple[Pixels, NDArray[np.float64]]:
    """Return the visible part of the photo, averaged over blocks of `factor` pixels, and the matrix for it."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ inverse.T
    height, width = pixels.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - factor, 0, [width, height])
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + factor, 0, [width, height])
    # Only whole blocks: a partial last block would shift the positions of the averaged pixels.
    columns, rows = (right - left) // factor, (bottom - top) // factor
    if columns < 1 or rows < 1:
        return pixels, matrix
    part = pixels[top : top + rows * factor, left : left + columns * factor]
    small = cv2.resize(part, (int(columns), int(rows)), interpolation=cv2.INTER_AREA)
    # A pixel centre x of `small` is at factor * x + (factor - 1) / 2 + left in the photo.
    shift = (factor - 1) / 2 + np.array([left, top])
    linear = matrix[:, :2] * factor
    return small.astype(np.uint8, copy=False), np.column_stack([linear, matrix[:, 2] + matrix[:, :2] @ shift])
