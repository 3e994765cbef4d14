"""Compare an int8 embedder with its float32 one: CPU time, cosines; and the activation ranges of faces.

    arcid models pull open open-int8
    python benchmarks/quantisation.py --images lfw/

Prints the ranges that models/open-int8.toml has: of one photo of each of 200 people, drawn from every second one. The
times and cosines are of photos of the other people: the ratio of process CPU time on one thread, measured alternately.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.config import read_settings
from app.types import Floats, Pixels
from app.vision.alignment import align
from app.vision.detection.detections import Detector
from app.vision.embedding import Preprocessing, as_input
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.ranges import activation_ranges
from app.vision.inference.timing import time_ratio
from app.wiring.networks import detector_of, embedder_of, open_detector, open_embedder, open_runtime
from app.wiring.storage import open_packs

_CALIBRATED, _COMPARED = 200, 150


def split(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the photos from which ranges are measured, and those of other people."""
    photos = sorted(folder.glob("*/*.jpg"))
    people = sorted({photo.parent for photo in photos})
    random = np.random.default_rng(1)
    drawn = []
    for half in (set(people[::2]), set(people[1::2])):
        first = dict[Path, Path]()
        for photo in (*photos[::2], *photos[1::2]):
            if photo.parent in half:
                first.setdefault(photo.parent, photo)
        drawn.append([list(first.values())[place] for place in random.permutation(len(first))])
    return drawn[0][:_CALIBRATED], drawn[1][:_COMPARED]


def central_crops(detector: Detector, photos: list[Path]) -> Iterator[Pixels]:
    """Yield the aligned crop (112, 112, 3) of the face nearest to the middle of each photo."""
    for photo in photos:
        pixels = decode(photo.read_bytes(), Limits()).pixels
        middle = np.array(pixels.shape[1::-1]) / 2
        faces = detector.detect(pixels)
        boxes = [np.array(face.box).reshape(2, 2).mean(axis=0) for face in faces]
        if faces:
            nearest = faces[int(np.argmin([np.hypot(*(centre - middle)) for centre in boxes]))]
            yield align(pixels, nearest.landmarks[None])[0]


def main() -> None:
    """Print the ranges, the ratio and the cosines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder person/photo.jpg")
    folder = parser.parse_args().images
    settings = read_settings()
    packs, runtime = open_packs(settings), open_runtime(settings)
    plain, small = packs.manifest("open"), packs.manifest("open-int8")
    detector = open_detector(packs, detector_of(settings, plain), runtime, settings)
    calibrated, compared = split(folder)
    section = embedder_of(plain)
    preprocessing = Preprocessing(section.mean, section.scale, is_bgr=section.color == "bgr")
    batches: Iterator[Floats] = (as_input(crop[None], preprocessing) for crop in central_crops(detector, calibrated))
    for name, (low, high) in activation_ranges(packs.read(plain, section.file), batches).items():
        print(f"{name} = [{low}, {high}]")
    crops = np.stack(list(central_crops(detector, compared)))
    one, other = open_embedder(packs, plain, runtime), open_embedder(packs, small, runtime)
    cosines = (one.embed(crops).vectors * other.embed(crops).vectors).sum(axis=1)
    print(f"CPU time of int8 / float32: {time_ratio(one.embed, other.embed, list(crops[:, None])):.2f}")
    print(f"cosine: mean {cosines.mean():.4f}, lowest {cosines.min():.4f}")


if __name__ == "__main__":
    main()
