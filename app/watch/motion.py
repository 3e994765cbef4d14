"""Motion between frames, at little cost: whether a frame is worth detection. Pure."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Pixels

Thumbnail = NDArray[np.int16]
"""Grey levels (height, width) of a small copy of a frame, without its median."""

_SIDE = 96  # pixels of the longer side; a face of 40 pixels in a frame of 1280 is 3 pixels wide
_LEVELS = 12  # of change; the noise of a dark camera is averaged out at this size
_LEAST_PIXELS = 3  # fewer changed pixels are noise


def thumbnail(frame: Pixels) -> Thumbnail:
    """Return the thumbnail of a frame (height, width, 3), RGB.

    Its median is removed, because light that changes is not motion.
    """
    height, width = frame.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    step = max(1, int(1 / (2 * scale)))  # every second pixel of each block is enough, and is cheap to reach
    grey = cv2.cvtColor(np.ascontiguousarray(frame[::step, ::step]), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.asarray(small - np.int16(np.median(small)), np.int16)


def has_motion(before: Thumbnail | None, now: Thumbnail) -> bool:
    """Return whether anything as large as a face moved between two frames; True without a frame before."""
    if before is None or before.shape != now.shape:
        return True
    return int((np.abs(now - before) > _LEVELS).sum()) >= _LEAST_PIXELS
