"""Portraits: small JPEGs of faces, for people to look at."""

import cv2

from app.types import Pixels

_QUALITY = 85


def encode_jpeg(pixels: Pixels) -> bytes:
    """Return an image (height, width, 3), RGB, as a JPEG."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    return encoded.tobytes()
