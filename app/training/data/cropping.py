"""Alignment of photos, with a cache of crops on disk so that an interrupted run continues where it stopped."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.errors import FileUnusable, NoFace, PhotoRefused, TrainingInvalid
from app.evaluation.values import Advance, Photo
from app.training.data.decoding import decode_crop
from app.training.run_folder import write_whole
from app.types import Pixels
from app.vision.alignment import align
from app.vision.detection.detections import Detector
from app.vision.detection.main_face import most_prominent_first
from app.vision.imaging.decode import Limits, decode
from app.vision.imaging.lossless import encode_png

CropFace = Callable[[bytes], Pixels]
"""Photo -> aligned crop (112, 112, 3) of its main face, RGB; raises PhotoRefused if the photo shows no face.

Several threads may call it at once.
"""


@dataclass(frozen=True, slots=True)
class FaceCropper:
    """Crops faces from photos. `folder` is the cache; `setup` identifies the networks and settings in it."""

    crop: CropFace
    setup: str
    folder: Path
    threads: int = 1

    def crop_photos(self, photos: Sequence[Photo], advance: Advance = lambda _: None) -> list[bytes | str]:
        """Return for each photo its crop as a PNG, or an error code; in the order of the photos.

        A photo without a face has the code `no_face`. Any other code means that the photo cannot be read:
        `file_unusable` is that of a file that the system does not return. Raises StorageNotWritable if the cache cannot
        be written.
        """

        def crop_or_code(photo: Photo) -> bytes | str:
            try:
                data = photo.read()
            except OSError:
                result: bytes | str = FileUnusable.code
            else:
                result = self._crop(data)
            advance(1)
            return result

        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(crop_or_code, photos))

    def _crop(self, data: bytes) -> bytes | str:
        path = self._path(data)
        cached = _read_cached(path)
        if cached is not None:
            return cached
        try:
            result: bytes | str = encode_png(self.crop(data))
        except PhotoRefused as error:
            result = error.code
        _write_cached(result, path)
        return result

    def _path(self, data: bytes) -> Path:
        key = hashlib.sha256(data).hexdigest()
        return self.folder / self.setup / key[:2] / key


def crop_main_face(detector: Detector, limits: Limits, data: bytes) -> Pixels:
    """Return the aligned crop of a photo's most prominent face; raises a PhotoRefused."""
    pixels = decode(data, limits).pixels
    detections = most_prominent_first(detector.detect(pixels), pixels.shape)
    if not detections:
        raise NoFace
    crop: Pixels = align(pixels, detections[0].landmarks[None].astype(np.float32))[0]
    return crop


def _read_cached(path: Path) -> bytes | str | None:
    """Return the cached PNG or error code at a path without suffix; None if it is missing or damaged."""
    try:
        crop = path.with_suffix(".png").read_bytes()
        decode_crop(crop, path.name)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except TrainingInvalid:
        return None
    else:
        return crop
    try:
        return path.with_suffix(".none").read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write_cached(result: bytes | str, path: Path) -> None:
    """Write a PNG or an error code to the cache atomically; raises StorageNotWritable if the disk is full."""
    suffix, content = (".none", result.encode()) if isinstance(result, str) else (".png", result)
    write_whole(content, path.with_suffix(suffix))
