"""Portraits: small images of faces with some margin, for people to look at."""

import math

import cv2
import numpy as np

from app.types import Detection, Pixels

PORTRAIT_SIDE = 224
_SIDES_OF_BOX = 1.6  # shows hair and chin, and as little as possible of neighbours
_QUALITY = 85


def portrait(pixels: Pixels, detection: Detection) -> Pixels:
    """Return the square around a face with its eyes upright, (side, side, 3) with a side of at most 224 pixels.

    Near an edge of the photo, the square moves inwards. It is never enlarged.

    Args:
        pixels: Photo (height, width, 3).
        detection: The face, in pixels of the photo.
    """
    left, top, right, bottom = detection.box
    height, width = pixels.shape[:2]
    side = max(1, min(round(_SIDES_OF_BOX * max(right - left, bottom - top)), height, width))
    x = int(np.clip((left + right - side) / 2, 0, width - side))
    y = int(np.clip((top + bottom - side) / 2, 0, height - side))
    part = pixels[y : y + side, x : x + side]
    if side > PORTRAIT_SIDE:
        part = cv2.resize(part, (PORTRAIT_SIDE, PORTRAIT_SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    across, down = detection.landmarks[1] - detection.landmarks[0]  # between the eyes
    return np.ascontiguousarray(np.rot90(part, round(math.atan2(down, across) / (math.pi / 2))))


def encode_jpeg(pixels: Pixels) -> bytes:
    """Return an image (height, width, 3), RGB, as a JPEG."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    return encoded.tobytes()
