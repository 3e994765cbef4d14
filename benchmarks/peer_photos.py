"""The photos of `benchmarks/peers.py`. None of them is stored with ArcID."""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from app.cli.demo_photos import as_jpeg, cut_out, group_photo, stranger
from app.types import Pixels

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL_PHOTOS = 12
_SEED = 16
_NOISE = 3.0  # standard deviation, as a phone's sensor has indoors
_FACE_AREA = (61, 269, 167, 397)  # a face of the demo's group photo

TITLES = {
    "small": "250 px, one face",
    "group": "1280 px, six faces",
    "large-group": "12 MP, six faces",
    "large": "12 MP, one face",
}


def photos(shared: Path, folder: Path) -> dict[str, list[Path]]:
    """Write the photos below a folder; return the files of each kind.

    `small` are photos of LFW where `shared` has them, and `large` is a portrait of the London set before a wide wall
    with the noise of a sensor. Without them, both come from the demo's photos.
    """
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[], list[bytes]]] = {
        "small": lambda: _small(shared / "lfw" / "images"),
        "group": lambda: [as_jpeg(group_photo())],
        "large-group": lambda: [as_jpeg(_resized(group_photo(), 4000 / 1280))],
        "large": lambda: [as_jpeg(_before_a_wall(_portrait(shared / "london" / "neutral")))],
    }
    return {
        kind: [_written(folder / f"{kind}-{place}.jpg", data) for place, data in enumerate(make())]
        for kind, make in makers.items()
    }


def enrolled(folder: Path) -> list[Path]:
    """Write the photos of the people who are enrolled before: those of the group and the stranger."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = [cut_out(group_photo(), _FACE_AREA), stranger()]
    return [_written(folder / f"enrolled-{place}.jpg", as_jpeg(each)) for place, each in enumerate(shown)]


def _small(images: Path) -> list[bytes]:
    files = sorted(images.glob("*/*.jpg"))
    if not files:
        return [as_jpeg(_resized(stranger(), 250 / 512))]
    chosen = np.random.default_rng(_SEED).choice(len(files), _SMALL_PHOTOS, replace=False)
    return [files[place].read_bytes() for place in sorted(chosen.tolist())]


def _portrait(folder: Path) -> Pixels:
    files = sorted(folder.glob("*.jpg"))
    pixels = cv2.imread(str(files[0])) if files else None
    return stranger() if pixels is None else np.asarray(pixels[:, :, ::-1], np.uint8)


def _before_a_wall(portrait: Pixels, width: int = 4000, height: int = 3000, tall: int = 1350) -> Pixels:
    """Return a photo of 12 megapixels: the portrait at 45 % of its height, before a wall in the colours of its edge."""
    person = _resized(portrait, tall / portrait.shape[0])
    left = (width - person.shape[1]) // 2
    sides = (height - tall, 0, left, width - left - person.shape[1])
    wide = cv2.copyMakeBorder(person, *sides, cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(_SEED).normal(0, _NOISE, wide.shape)
    return np.asarray(np.clip(wide + noise, 0, 255), np.uint8)


def _resized(pixels: Pixels, factor: float) -> Pixels:
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how), np.uint8)


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
