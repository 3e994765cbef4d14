"""Made-up people: each is a smooth coloured pattern; each photo adds noise."""

from pathlib import Path

import cv2
import numpy as np

from app.errors import NoFace, NotAnImage
from app.training.data.cropping import FaceCropper
from app.training.data.decoding import decode_crop
from app.types import Pixels
from app.vision.imaging.lossless import encode_png


def crops_of(person: int, count: int, seed: int = 0) -> list[Pixels]:
    """Return crops (112, 112, 3) of a made-up person."""
    coarse = np.random.default_rng([person, 1]).uniform(0, 255, (5, 5, 3))
    pattern = cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng([person, seed]).normal(0, 25, (count, 112, 112, 3))
    return list(np.clip(pattern + noise, 0, 255).astype(np.uint8))


def write_people(folder: Path, people: int, photos: int) -> Path:
    """Write a folder person/photo.png of crops."""
    for person in range(people):
        (folder / f"p{person:02d}").mkdir(parents=True)
        for number, crop in enumerate(crops_of(person, photos)):
            (folder / f"p{person:02d}" / f"{number:02d}.png").write_bytes(encode_png(crop))
    return folder


def no_cropper() -> FaceCropper:
    """Fail, because crops need no alignment."""
    raise AssertionError("crops are not aligned again")


def whole_photo_cropper(folder: Path) -> FaceCropper:
    """Return a fake cropper for photos of 112x112 pixels, each a face; b"nobody" shows none, b"text" is not a photo."""

    def crop(data: bytes) -> Pixels:
        if data == b"nobody":
            raise NoFace
        if data == b"text":
            raise NotAnImage("the bytes are not an image")
        return decode_crop(data, "photo")

    return FaceCropper(crop, "setup", folder)
