"""Compare the time that packs take for a photo, from its bytes to its vectors.

    python benchmarks/pack_time.py --images DIR --packs open,open-plus

The packs take turns with each photo, so that other load on the machine affects both. Prints the CPU time of each pack
relative to the first.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from app.config import read_settings
from app.recognition.analysis import Analysis
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

PHOTOS = 60


def opened(pack: str) -> Analysis:
    """Open the networks of a pack with its recommended detector."""
    settings = read_settings(pack=pack)
    return ModelLoader(settings, open_packs(settings)).default_analysis()


def seconds(analysis: Analysis, photo: bytes, *, is_flip_averaged: bool) -> float:
    """Return the CPU time of the analysis of a photo."""
    start = time.process_time()
    analysis.analyse(photo, is_flip_averaged=is_flip_averaged, most=1)
    return time.process_time() - start


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of photos, at any depth")
    parser.add_argument("--packs", default="open,open-plus", help="packs, separated by commas")
    options = parser.parse_args()
    names = options.packs.split(",")
    analyses = [opened(name) for name in names]
    photos = [path.read_bytes() for path in sorted(options.images.rglob("*.jpg"))]
    photos = photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]
    for is_flip_averaged in (True, False):
        times = np.array(
            [[seconds(each, photo, is_flip_averaged=is_flip_averaged) for each in analyses] for photo in photos]
        )
        medians = np.median(times / times[:, :1], axis=0)
        figures = ", ".join(f"{name} {each:.2f}" for name, each in zip(names, medians, strict=True))
        print(f"{'with' if is_flip_averaged else 'without'} flip averaging, median of {len(photos)} photos: {figures}")


if __name__ == "__main__":
    main()
