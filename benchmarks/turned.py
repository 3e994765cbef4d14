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
from app.vision.detection.found import Detector
from app.vision.detection.main_face import most_prominent_first
from app.vision.detection.turned import Turned
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
    found = most_prominent_first(detector.detect(pixels), pixels.shape)
    if not found:
        return None
    return np.asarray(embedder.embed(align(pixels, found[0].landmarks[None]), is_flip_averaged=True).vectors[0])


def detected(detector: Detector, photos: list[Pixels]) -> tuple[int, float]:
    """Return the number of photos with a detected face, and the CPU seconds per photo."""
    started = time.process_time()
    count = sum(bool(detector.detect(each)) for each in photos)
    return count, (time.process_time() - started) / len(photos)


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--detector", default="yunet+retinaface")
    given = parser.parse_args()
    settings = read_settings()
    packs, runtime = open_packs(settings), open_runtime(settings)
    embedder = open_embedder(packs, packs.manifest(settings.pack), runtime)
    after = open_detector(packs, given.detector, runtime, settings)
    assert isinstance(after, Turned)  # noqa: S101 - the subject of this benchmark
    before = after._detector  # noqa: SLF001 - likewise
    people = [sorted(each.iterdir())[:2] for each in sorted(given.images.iterdir()) if each.is_dir()]
    people = [each for each in people if len(each) == 2]
    people = people[:: max(1, len(people) // given.people)][: given.people]
    first = [main_face(before, embedder, pixels_of(one)) for one, _ in people]
    gallery = np.stack([np.zeros(128, np.float32) if each is None else each for each in first])
    probes = [pixels_of(other) for _, other in people]

    print(f"{len(people)} people; {'turned':>10} {'found':>14} {'rank 1':>14} {'s ratio':>8}")
    for turn in range(4):
        photos = [np.ascontiguousarray(np.rot90(each, turn)) for each in probes]
        cells, seconds = [], []
        for detector in (before, after):
            vectors = [main_face(detector, embedder, each) for each in photos]
            found = sum(each is not None for each in vectors)
            right = sum(each is not None and int((gallery @ each).argmax()) == n for n, each in enumerate(vectors))
            cells.append((found / len(photos), right / len(photos)))
            seconds.append(detected(detector, photos)[1])
        (found_before, right_before), (found_after, right_after) = cells
        print(
            f"{turn * 90:23} {found_before:6.1%} {found_after:6.1%} {right_before:7.1%} {right_after:6.1%} "
            f"{seconds[1] / seconds[0]:8.2f}"
        )
    folder = Path(str(files("skimage"))) / "data"
    whole = [pixels_of(folder / name) for name in _FACELESS if (folder / name).is_file()]
    large = [np.asarray(Pillow.fromarray(each).resize((1280, 960))) for each in whole]
    corners = [each[y:, x:][:_CORNER, :_CORNER] for each in probes for x, y in ((0, 0), (-_CORNER, 0))]
    for name, photos in {"faceless": whole, "faceless 1280x960": large, "corners": corners}.items():
        (was, was_s), (now, now_s) = (detected(each, photos) for each in (before, after))
        print(f"{len(photos)} {name}: faces in {was} before, {now} after; seconds ratio {now_s / was_s:.2f}")


if __name__ == "__main__":
    main()
