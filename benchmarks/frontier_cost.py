"""The cost of a photo at each effort, in ratio to OpenCV with the same networks, and the share of each stage.

    python benchmarks/frontier_cost.py --images LFW/images

All of it is CPU time on one thread, measured in turns in one run, from the photo's bytes to its embeddings. OpenCV's
FaceDetectorYN and FaceRecognizerSF run the same YuNet and SFace, without RetinaFace's landmarks, a second look,
mirror images or qualities. Accurate was the only way before efforts existed. ARCID_PACK=open-int8 runs the int8 SFace
on our side only.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from frontier import Networks, photos_of

from app.cli.demo_photos import as_jpeg, group_photo
from app.vision.alignment import align
from app.vision.imaging.decode import Limits, decode


def opencv(networks: Networks) -> Callable[[bytes], None]:
    """Return OpenCV's detector and recognizer with the same networks."""
    files = [
        str(networks.packs.verified(networks.packs.manifest(p), f))
        for p, f in (("yunet", "yunet.onnx"), ("open", "sface.onnx"))
    ]
    detector = cv2.FaceDetectorYN.create(files[0], "", (320, 320), 0.6, 0.4)
    recognizer = cv2.FaceRecognizerSF.create(files[1], "")

    def run(data: bytes) -> None:
        pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        detector.setInputSize(pixels.shape[1::-1])
        for face in detector.detect(pixels)[1]:
            recognizer.feature(recognizer.alignCrop(pixels, face))

    return run


def cost(images: Path, rounds: int) -> None:
    """Print the CPU time of each effort in ratio to OpenCV's and to that of `accurate`."""
    cv2.setNumThreads(1)
    networks = Networks()
    accurate, balanced = networks.analysis("large"), networks.analysis("small")
    fast = networks.analysis("finder", is_sparing=True)
    runs: dict[str, Callable[[bytes], object]] = {
        "OpenCV": opencv(networks),
        "accurate": partial(accurate.analyse, is_flip_averaged=True),
        "large view, no mirror image": partial(accurate.analyse, is_flip_averaged=False),
        "balanced": partial(balanced.analyse, is_flip_averaged=False),
        "fast": partial(fast.analyse, is_flip_averaged=False),
    }
    photos = {
        "one face, 250x250": next(photos_of(images, 1)).read_bytes(),
        "six faces, 1280x886": as_jpeg(group_photo()),
    }
    for title, data in photos.items():
        spent = _alternately({name: partial(run, data) for name, run in runs.items()}, rounds)
        print(f"\n{title:<26}  to OpenCV  to accurate")
        for name, seconds in spent.items():
            print(f"{name:<26}{seconds / spent['OpenCV']:11.2f}{seconds / spent['accurate']:23.2f}")
        _stages(networks, data, rounds)


def _stages(networks: Networks, data: bytes, rounds: int) -> None:
    """Print the share of each stage of an accurate analysis."""
    pixels = decode(data, Limits()).pixels
    sparing, both, careful = (
        networks.detector(*each[:1], is_sparing=each[1])
        for each in (("finder", True), ("finder", False), ("small", False))
    )
    faces = careful.detect(pixels)
    crops = align(pixels, np.stack([each.landmarks for each in faces]))
    analysis = networks.analysis("small")
    spent = _alternately(
        {
            "decode": lambda: decode(data, Limits()),
            "ordinary view": lambda: sparing.detect(pixels),
            "and close-up view": lambda: both.detect(pixels),
            "and landmarks": lambda: careful.detect(pixels),
            "align": lambda: align(pixels, np.stack([each.landmarks for each in faces])),
            "embed": lambda: networks.embedder.embed(crops),
            "embed, assess": lambda: analysis.of_crops(
                crops, faces, is_flip_averaged=False, image=decode(data, Limits())
            ),
        },
        rounds,
    )
    whole = spent["and landmarks"] + spent["embed, assess"] + spent["align"]
    print("shares of a balanced analysis:", ", ".join(f"{name} {each / whole:.0%}" for name, each in spent.items()))


def _alternately(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of each, run in turns."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.process_time()
            run()
            spent[name].append(time.process_time() - started)
    return {name: statistics.median(each) for name, each in spent.items()}


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=30)
    cost(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
