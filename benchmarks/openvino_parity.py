"""Compare a network that `arcid models pull` converted from OpenVINO with OpenVINO itself, on the crops of photos.

Needs `pip install openvino`, the two files of the network, and a folder of photos:

    python benchmarks/openvino_parity.py NETWORK.xml PHOTOS
"""

import sys
from pathlib import Path

import numpy as np
import openvino
from PIL import Image

from app.types import Floats
from app.vision.inference.conversion.openvino import to_onnx
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session

COUNT, SIDE = 200, 128


def as_batch(path: Path) -> Floats:
    """Return the centre of a photo as an input (1, 3, 128, 128), BGR, 0..255."""
    photo = Image.open(path).convert("RGB")
    (width, height), quarter = photo.size, min(photo.size) / 4
    box = (width / 2 - quarter, height / 2 - quarter, width / 2 + quarter, height / 2 + quarter)
    crop = np.asarray(photo.resize((SIDE, SIDE), box=box))
    return crop[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)


def main(network: Path, folder: Path) -> None:
    """Print the lowest cosine between the embeddings of both, and their largest difference."""
    converted = to_onnx(network.read_bytes(), network.with_suffix(".bin").read_bytes())
    session = Session(converted.SerializeToString(), Runtime())
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # the default is bfloat16 on processors that have it
    theirs = openvino.Core().compile_model(network, "CPU", exact)
    batches = map(as_batch, sorted(folder.rglob("*.jpg"))[:COUNT])
    pairs = [(session.run(batch)[0].ravel(), theirs(batch)[0].ravel()) for batch in batches]
    cosines = [float(a @ b / np.sqrt((a @ a) * (b @ b))) for a, b in pairs]
    largest = max(float(np.abs(a - b).max()) for a, b in pairs)
    print(f"{len(pairs)} photos: lowest cosine {min(cosines):.7f}, largest difference {largest:.1e}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
