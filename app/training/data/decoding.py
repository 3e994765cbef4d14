"""Decoding of crops."""

import io

import cv2
import numpy as np
from PIL import Image as Pillow

from app.errors import TrainingInvalid
from app.types import Pixels
from app.vision.alignment import CROP_SIDE

_FORMATS = ("JPEG", "PNG")


def decode_crop(data: bytes, name: str) -> Pixels:
    """Decode a JPEG or PNG of an aligned face to (112, 112, 3), RGB.

    Raises TrainingInvalid, which names `name`, if it is damaged or of another size. This is faster than
    `imaging.decode`, which supports more formats. The size is checked before decoding, because a small file can expand
    to gigabytes of pixels.
    """
    try:
        with Pillow.open(io.BytesIO(data), formats=_FORMATS) as header:
            size = header.size
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise TrainingInvalid(f"{name} is not a JPEG or PNG, or it is damaged") from error
    if size != (CROP_SIDE, CROP_SIDE):
        raise TrainingInvalid(
            f"{name} has {size[0]}x{size[1]} pixels; an aligned crop has {CROP_SIDE}x{CROP_SIDE}; "
            "without --aligned, photos are aligned first"
        )
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise TrainingInvalid(f"{name} is damaged")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
