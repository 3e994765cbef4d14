"""Compare formats for aligned crops: bytes for each crop, and how far embeddings move.

PYTHONPATH=. .venv/bin/python benchmarks/crop_formats.py --images PEOPLE [--pack open]        PEOPLE/person/photo

The crops are aligned as `arcid train` does and stored as PNG, the format of its cache. Each JPEG quality is compared
with that: the mean size, and the cosine of a crop's embedding before and after.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from app.config import read_settings
from app.evaluation.values import Doubles, normalise
from app.training.data.cleaning import Embed
from app.training.data.folder import read_folder
from app.types import Pixels
from app.wiring.training import open_cropper, open_embed

_FULL_COLOUR = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
FORMATS = {
    "JPEG 90": [cv2.IMWRITE_JPEG_QUALITY, 90],
    "JPEG 95": [cv2.IMWRITE_JPEG_QUALITY, 95],
    "JPEG 95, full colour": [cv2.IMWRITE_JPEG_QUALITY, 95, *_FULL_COLOUR],
    "JPEG 100, full colour": [cv2.IMWRITE_JPEG_QUALITY, 100, *_FULL_COLOUR],
}


def main() -> None:
    """Print a row for each format."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--pack", default="open")
    options = parser.parse_args()
    settings = read_settings(pack=options.pack)
    source = read_folder(options.images, open_cropper(settings))
    crops = np.stack([source.crop(index) for index in range(len(source.labels))])
    size = float(np.mean([len(source.encoded(index)) for index in range(len(crops))]))
    print(f"{len(crops)} crops; PNG: {size:,.0f} bytes")
    embed = open_embed(settings)
    for name, parameters in FORMATS.items():
        encoded = [cv2.imencode(".jpg", crop[:, :, ::-1], parameters)[1] for crop in crops]
        decoded = [np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1] for data in encoded]
        cosines = compare(embed, crops, np.stack(decoded))
        mean = float(np.mean([data.size for data in encoded]))
        print(
            f"{name}: {mean:,.0f} bytes ({size / mean:.1f} times smaller), "
            f"cosine {cosines.mean():.4f}, lowest {cosines.min():.4f}"
        )


def compare(embed: Embed, crops: Pixels, others: Pixels) -> Doubles:
    """Return the cosines (n,) of the embeddings of crops (n, 112, 112, 3) and of the same crops in another format."""
    cosines: Doubles = np.einsum("nd,nd->n", normalise(embed(crops)), normalise(embed(others)))
    return cosines


if __name__ == "__main__":
    main()
