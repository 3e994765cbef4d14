"""Measure detection, recognition and cost for photos rotated by 90, 180 and 270 degrees without EXIF.

python benchmarks/turned.py --images DIR [--people 150] [--detector yunet+retinaface]

DIR contains a folder per person, such as LFW's. For each person with two photos, the first is enrolled upright, and the
second is the rotated probe. "before" is the detector that tries only the upright orientation. Seconds are CPU seconds
of detection; compare their ratios.
"""

import argparse
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from app.config import read_settings
from app.types import Floats, Pixels
from app.vision.alignment import align
from app.vision.detection.detections import Detector
from app.vision.detection.main_face import most_prominent_first
from app.vision.detection.orientations import OrientationSearch
from app.vision.embedding import Embedder
from app.wiring.networks import open_detector, open_embedder, open_runtime
from app.wiring.storage import open_packs

_FACELESS = (
    "brick.png",
    "camera.png",
    "cell.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
_CORNER = 70  # pixels of LFW's photos without a face


def pixels_of(path: Path) -> Pixels:
    """Read a photo."""
    return np.asarray(Pillow.open(path).convert("RGB"))


def main_face(detector: Detector, embedder: Embedder, pixels: Pixels) -> Floats | None:
    """Return the embedding (d,) of the most prominent face, or None."""
    detections = most_prominent_first(detector.detect(pixels), pixels.shape)
    if not detections:
        return None
    return np.asarray(embedder.embed(align(pixels, detections[0].landmarks[None]), is_flip_averaged=True).vectors[0])


def detected(detector: Detector, photos: list[Pixels]) -> tuple[int, float]:
    """Return the number of photos with a detected face, and the CPU seconds per photo."""
    started = time.process_time()
    count = sum(bool(detector.detect(photo)) for photo in photos)
    return count, (time.process_time() - started) / len(photos)


def pairs_of(images: Path, count: int) -> list[list[Path]]:
    """Return the first two photos of each of `count` people, spread over all people."""
    people = [sorted(person.iterdir())[:2] for person in sorted(images.iterdir()) if person.is_dir()]
    people = [photos for photos in people if len(photos) == 2]
    return people[:: max(1, len(people) // count)][:count]


def rates(detector: Detector, embedder: Embedder, photos: list[Pixels], gallery: Floats) -> tuple[float, float]:
    """Return the shares of photos with a detected face, and with the right person at rank 1."""
    vectors = [main_face(detector, embedder, photo) for photo in photos]
    found = sum(vector is not None for vector in vectors)
    right = sum(
        vector is not None and int((gallery @ vector).argmax()) == person for person, vector in enumerate(vectors)
    )
    return found / len(photos), right / len(photos)


def faceless(probes: list[Pixels]) -> dict[str, list[Pixels]]:
    """Return photos without faces: pictures of scikit-image, and corners of the probes."""
    folder = Path(str(files("skimage"))) / "data"
    whole = [pixels_of(folder / name) for name in _FACELESS if (folder / name).is_file()]
    large = [np.asarray(Pillow.fromarray(photo).resize((1280, 960))) for photo in whole]
    corners = [photo[y:, x:][:_CORNER, :_CORNER] for photo in probes for x, y in ((0, 0), (-_CORNER, 0))]
    return {"faceless": whole, "faceless 1280x960": large, "corners": corners}


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--detector", default="yunet+retinaface")
    options = parser.parse_args()
    settings = read_settings()
    packs, runtime = open_packs(settings), open_runtime(settings)
    embedder = open_embedder(packs, packs.manifest(settings.pack), runtime)
    after = open_detector(packs, options.detector, runtime, settings)
    assert isinstance(after, OrientationSearch)  # noqa: S101 - the subject of this benchmark
    before = after._detector  # noqa: SLF001 - likewise
    people = pairs_of(options.images, options.people)
    enrolled = [main_face(before, embedder, pixels_of(first)) for first, _ in people]
    gallery = np.stack([np.zeros(128, np.float32) if vector is None else vector for vector in enrolled])
    probes = [pixels_of(second) for _, second in people]

    print(f"{len(people)} people; {'turned':>10} {'found':>14} {'rank 1':>14} {'s ratio':>8}")
    for quarter in range(4):
        photos = [np.ascontiguousarray(np.rot90(photo, quarter)) for photo in probes]
        (found_before, right_before), (found_after, right_after) = (
            rates(detector, embedder, photos, gallery) for detector in (before, after)
        )
        seconds = [detected(detector, photos)[1] for detector in (before, after)]
        print(
            f"{quarter * 90:23} {found_before:6.1%} {found_after:6.1%} {right_before:7.1%} {right_after:6.1%} "
            f"{seconds[1] / seconds[0]:8.2f}"
        )
    for name, photos in faceless(probes).items():
        (old_count, old_s), (new_count, new_s) = (detected(detector, photos) for detector in (before, after))
        print(
            f"{len(photos)} {name}: faces in {old_count} before, {new_count} after; seconds ratio {new_s / old_s:.2f}"
        )


if __name__ == "__main__":
    main()
