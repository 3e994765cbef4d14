"""Views of a photo for detection networks: bounded in size, on a grid of 32 pixels, or with a black border. Pure."""

from dataclasses import dataclass

import cv2
import numpy as np

from app.types import Pixels
from app.vision.detection.detections import Detections

Shape = tuple[int, int]  # height, width

GRID = 32  # the coarsest stride of the single-shot networks


@dataclass(frozen=True, slots=True)
class PhotoView:
    """A copy `pixels` (height, width, 3) of the photo, resized by `scale` and shifted by `left` and `top` pixels."""

    pixels: Pixels
    scale: float
    left: float = 0
    top: float = 0

    def to_photo(self, detections: Detections) -> Detections:
        """Return the same faces in pixels of the photo."""
        return detections.moved(1 / self.scale, (-self.left / self.scale, -self.top / self.scale))


def fitted(pixels: Pixels, longest_side: int, shape: Shape | None = None, *, grid: int = GRID) -> PhotoView:
    """Return a view of the whole photo, shrunk if its longer side exceeds `longest_side`.

    The view is padded with black at the right and bottom to the next multiple of `grid`, or to `shape` for networks
    with a fixed input size.
    """
    height, width = pixels.shape[:2]
    limits = (longest_side / max(height, width), *((shape[0] / height, shape[1] / width) if shape else ()))
    scale = min(1.0, *limits)
    small = _resized(pixels, scale)
    rows, columns = shape or (_up_to(grid, small.shape[0]), _up_to(grid, small.shape[1]))
    return PhotoView(_padded(small, rows, columns, 0, 0), scale)


def surrounded(pixels: Pixels, longest_side: int, shape: Shape) -> PhotoView:
    """Return a black view of `shape` with the photo in its middle, resized to a longer side of `longest_side`.

    A face that fills the frame becomes an ordinary face with a border around it.
    """
    scale = longest_side / max(pixels.shape[:2])
    small = _resized(pixels, scale)
    top, left = (shape[0] - small.shape[0]) // 2, (shape[1] - small.shape[1]) // 2
    return PhotoView(_padded(small, *shape, top, left), scale, left, top)


def _resized(pixels: Pixels, scale: float) -> Pixels:
    """Return the photo at a scale: halved as often as that allows, then sampled bilinearly.

    OpenCV averages blocks of 2x2 pixels ten times as fast as blocks whose side is a fraction.
    """
    if scale == 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    while min(pixels.shape[0] // height, pixels.shape[1] // width) >= 2:
        pixels = _halved(pixels)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _halved(pixels: Pixels) -> Pixels:
    """Return the means of blocks of 2x2 pixels, without an odd last row or column."""
    height, width = (side // 2 for side in pixels.shape[:2])
    blocks = pixels[: 2 * height, : 2 * width]
    return cv2.resize(blocks, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _padded(pixels: Pixels, rows: int, columns: int, top: int, left: int) -> Pixels:
    canvas = np.zeros((rows, columns, 3), np.uint8)
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return canvas


def _up_to(grid: int, side: int) -> int:
    return -(-side // grid) * grid
