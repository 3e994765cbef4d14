"""Measure the cost of a photo by its number of faces, and of texture without faces: CPU seconds and peak memory.

python benchmarks/crowd.py [--detector mtcnn] [--faces 100] [--width 28] [--photo FILE]

FILE (default: scikit-image's portrait of Eileen Collins) is cropped to its face and repeated. A separate process
analyses each photo. Figures are CPU seconds; compare their ratio to the cost of one face.
"""

import argparse
import io
import multiprocessing
import resource
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from app.config import LimitSettings, Settings, read_settings
from app.types import Pixels
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

_FACE = (slice(40, 250), slice(150, 318))  # of the portrait


def sample(name: str) -> Pixels:
    """Return a photo from scikit-image."""
    return np.asarray(Pillow.open(Path(str(files("skimage"))) / "data" / name))


def repeated(face: Pixels, columns: int, rows: int, width: int = 28) -> bytes:
    """Return a JPEG that repeats a face, each `width` pixels wide."""
    small = np.asarray(Pillow.fromarray(face).resize((width, width * 5 // 4), Pillow.Resampling.LANCZOS))
    return _jpeg(np.tile(small, (rows, columns, 1)))


def textures() -> dict[str, bytes]:
    """Return photos without faces in which detectors see many candidates."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (1280, 1280, 3), np.uint8)
    blobs = np.asarray(Pillow.fromarray(noise[:160, :160]).resize((1280, 1280), Pillow.Resampling.BICUBIC))
    bricks = np.tile(sample("brick.png")[..., None], (2, 2, 3))
    return {
        "noise": _jpeg(noise),
        "blobs": _jpeg(blobs),
        "bricks": _jpeg(bricks),
    }


def analysed(photo: bytes, first: Pixels, settings: Settings) -> tuple[int, int, float, float]:
    """Return faces embedded, faces detected, CPU seconds and the growth of the peak memory in MB."""
    analysis = ModelLoader(settings, open_packs(settings)).default_analysis()
    analysis.analyse(repeated(first, 1, 1, 200), is_flip_averaged=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    faces = analysis.analyse(photo, is_flip_averaged=True)
    seconds = time.process_time() - started
    return len(faces), faces.detected, seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", default=None)
    parser.add_argument("--faces", type=int, default=LimitSettings().faces)
    parser.add_argument("--width", type=int, default=28, help="of a face, in pixels")
    parser.add_argument("--photo", type=Path)
    given = parser.parse_args()
    face = np.asarray(Pillow.open(given.photo).convert("RGB")) if given.photo else sample("astronaut.png")[_FACE]
    settings = read_settings(detector=given.detector, limits=LimitSettings(faces=given.faces))
    crowd = (1260 // given.width, 1260 // given.width * 4 // 5)
    photos = {
        f"{columns * rows} faces": repeated(face, columns, rows, given.width)
        for columns, rows in ((1, 1), (10, 10), crowd)
    }
    context = multiprocessing.get_context("spawn")
    print(f"{'photo':>12} {'embedded':>9} {'detected':>9} {'CPU s':>8} {'ratio':>7} {'MB more':>8}")
    one = None
    for name, photo in (photos | textures()).items():
        with context.Pool(1) as pool:
            embedded, detected, seconds, grown = pool.apply(analysed, (photo, face, settings))
        one = one or seconds
        print(f"{name:>12} {embedded:9} {detected:9} {seconds:8.2f} {seconds / one:7.1f} {grown:8.0f}")


def _jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(np.asarray(pixels, np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    main()
