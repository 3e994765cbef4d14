"""A photo as detection networks want to see it: bounded, on a grid of 32 pixels, with room around close-ups. Pure."""

from dataclasses import dataclass

import cv2
import numpy as np

from app.types import Pixels
from app.vision.detection.found import Found

Shape = tuple[int, int]  # height, width

GRID = 32  # the coarsest stride of the single-shot networks


@dataclass(frozen=True, slots=True)
class View:
    """`pixels` (height, width, 3) shows the photo at `scale`, shifted by `left` and `top` pixels of the view."""

    pixels: Pixels
    scale: float
    left: float = 0
    top: float = 0

    def to_photo(self, found: Found) -> Found:
        """Return the same faces in pixels of the photo."""
        return found.moved(1 / self.scale, (-self.left / self.scale, -self.top / self.scale))


def fitted(pixels: Pixels, longest_side: int, shape: Shape | None = None, *, grid: int = GRID) -> View:
    """Return the whole photo, shrunk (never enlarged) until its longer side is at most `longest_side`.

    The view is padded with black at the right and bottom to the next multiple of `grid`, or to `shape` for
    networks of a fixed input size.
    """
    height, width = pixels.shape[:2]
    limits = (longest_side / max(height, width), *((shape[0] / height, shape[1] / width) if shape else ()))
    scale = min(1.0, *limits)
    small = _resized(pixels, scale)
    rows, columns = shape or (_up_to(grid, small.shape[0]), _up_to(grid, small.shape[1]))
    return View(_padded(small, rows, columns, 0, 0), scale)


def surrounded(pixels: Pixels, longest_side: int, shape: Shape) -> View:
    """Return the photo, resized until its longer side is `longest_side`, in the middle of black (height, width).

    A face that fills the frame becomes one of ordinary size with room around it.
    """
    scale = longest_side / max(pixels.shape[:2])
    small = _resized(pixels, scale)
    top, left = (shape[0] - small.shape[0]) // 2, (shape[1] - small.shape[1]) // 2
    return View(_padded(small, *shape, top, left), scale, left, top)


def _resized(pixels: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=method).astype(np.uint8, copy=False)


def _padded(pixels: Pixels, rows: int, columns: int, top: int, left: int) -> Pixels:
    canvas = np.zeros((rows, columns, 3), np.uint8)
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return canvas


def _up_to(grid: int, side: int) -> int:
    return -(-side // grid) * grid
