"""Compare the CPU time of the check of liveness with that of an embedding.

    python benchmarks/liveness_time.py --images DIR --packs minifas-fused minifasnet minifas-128

The packs and the embedder take turns with each photo, so that other load on the machine affects all of them. Prints the
median CPU time for a face, also relative to its embedding without flip averaging.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.config import read_settings
from app.types import Detection, Pixels
from app.vision.alignment import align
from app.vision.detection.main_face import most_prominent_first
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.runtime import Runtime
from app.wiring.liveness import LivenessLoader
from app.wiring.networks import open_detector, open_embedder
from app.wiring.storage import open_packs

PHOTOS = 60

Work = Callable[[Pixels, Detection], object]


def seconds(work: Work, pixels: Pixels, face: Detection) -> float:
    """Return the CPU time of work on a face."""
    start = time.process_time()
    work(pixels, face)
    return time.process_time() - start


def work_of(packs_to_check: list[str]) -> dict[str, Work]:
    """Return the work to compare by its name; the first is the embedding."""
    settings = read_settings()
    packs = open_packs(settings)
    embedder = open_embedder(packs, packs.manifest(settings.pack), Runtime())
    work: dict[str, Work] = {"embedding": lambda pixels, face: embedder.embed(align(pixels, face.landmarks[None]))}
    for name in packs_to_check:
        detector = LivenessLoader(packs, name).open()
        work[name] = lambda pixels, face, detector=detector: detector.evidence(pixels, [face])  # type: ignore[misc]
    return work


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of photos, at any depth")
    parser.add_argument("--packs", nargs="+", default=["minifas-fused", "minifasnet", "minifas-128"])
    options = parser.parse_args()
    settings = read_settings()
    finder = open_detector(open_packs(settings), "yunet", Runtime(), settings)
    work = work_of(options.packs)
    photos = sorted(options.images.rglob("*.jpg"))
    times = []
    for path in photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]:
        pixels = decode(path.read_bytes(), Limits(20_000_000, 50_000_000)).pixels
        faces = most_prominent_first(finder.detect(pixels), pixels.shape)
        if faces:
            times.append([seconds(each, pixels, faces[0]) for each in work.values()])
    medians = np.median(times, axis=0)
    ratios = np.median(np.array(times) / np.array(times)[:, :1], axis=0)
    for name, median, ratio in zip(work, medians, ratios, strict=True):
        print(f"{name:15}{median * 1000:6.1f} ms {ratio:6.2f} of an embedding ({len(times)} faces)")


if __name__ == "__main__":
    main()
