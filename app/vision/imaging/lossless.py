"""Lossless storage of small images as PNG."""

import cv2
import numpy as np

from app.types import Pixels


def encode_png(pixels: Pixels) -> bytes:
    """Return an image (height, width, 3), RGB, as a PNG."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def decode_png(data: bytes) -> Pixels:
    """Return the image (height, width, 3), RGB, of a PNG from `encode_png`. PNGs from elsewhere are not checked."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None  # noqa: S101 - only PNGs of encode_png
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
