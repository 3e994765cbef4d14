"""Measure how often faces that fill the frame are found, with and without the second, bordered pass.

python benchmarks/close_ups.py --images DIR [--most 200]

DIR contains photos with one clear face each, such as LFW's. Each photo is cropped to a part of the face's box and
enlarged. A face counts as found if it is wider than half the picture. Boxes of other sizes count as wrong.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from app.config import read_settings
from app.types import Detection, Pixels
from app.vision.detection import retinaface, yunet
from app.vision.detection.boxes import nms
from app.vision.detection.detections import Detections, Network
from app.vision.detection.single_shot import CLOSE_UP_SIDE, SURROUNDED_SIDE, SingleShotDetector
from app.vision.detection.views import PhotoView, fitted, surrounded
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.wiring.storage import open_packs

_SCORE = 0.6
_KEPT_PARTS = (1.0, 0.8, 0.6)
_SIDES = (480, 1000)


def networks() -> dict[str, Network]:
    """Return the single-shot networks of the default pack."""
    packs = open_packs(read_settings())
    files = {name: packs.verified(packs.manifest(name), f"{name}.onnx") for name in ("yunet", "retinaface")}
    return {
        "yunet": yunet.Yunet(Session(files["yunet"], Runtime(), yunet.OUTPUTS)),
        "retinaface": retinaface.RetinaFace(Session(files["retinaface"], Runtime(), retinaface.OUTPUTS)),
    }


def close_ups(detector: SingleShotDetector, paths: list[Path], kept: float, side: int) -> Iterator[Pixels]:
    """Yield a crop of each photo's face: `kept` of its box, `side` pixels high."""
    for path in paths:
        photo = np.asarray(cv2.imread(str(path)), np.uint8)[:, :, ::-1]
        found = detector.detect(photo)
        if not found:
            continue
        left, top, right, bottom = found[0].box
        x, y = (1 - kept) / 2 * (right - left), (1 - kept) / 2 * (bottom - top)
        rows = slice(max(0, round(top + y)), round(bottom - y))
        cut = photo[rows, max(0, round(left + x)) : round(right - x)]
        factor = side / cut.shape[0]
        yield np.asarray(cv2.resize(cut, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)


def look(network: Network, view: PhotoView) -> list[Detection]:
    """Find faces in a single view."""
    found: Detections = view.to_photo(network.find(view.pixels[None], _SCORE)[0])
    return found.take(nms(found.boxes, found.scores, 0.4)).to_list()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--most", type=int, default=150)
    options = parser.parse_args()
    every = sorted(options.images.rglob("*.jpg"))
    paths = every[:: max(1, len(every) // options.most)]
    shape = (SURROUNDED_SIDE, SURROUNDED_SIDE)
    print(
        f"{'network':12}{'part of the face':>18}{'pixels':>8}   found (wrong boxes): ordinary pass, second pass, both"
    )
    for name, network in networks().items():
        both = SingleShotDetector(network)
        looks: list[Callable[[Pixels], list[Detection]]] = [
            lambda photo, network=network: look(network, fitted(photo, 1280)),  # type: ignore[misc]
            lambda photo, network=network: look(network, surrounded(photo, CLOSE_UP_SIDE, shape)),  # type: ignore[misc]
            both.detect,
        ]
        for kept in _KEPT_PARTS:
            for side in _SIDES:
                hits, wrong, count = [0] * 3, [0] * 3, 0
                for photo in close_ups(both, paths, kept, side):
                    count += 1
                    for number, detect in enumerate(looks):
                        is_wide = [each.box[2] - each.box[0] > photo.shape[1] / 2 for each in detect(photo)]
                        hits[number] += any(is_wide)
                        wrong[number] += is_wide.count(False)
                cells = [f"{hit / count:7.1%} ({bad})" for hit, bad in zip(hits, wrong, strict=True)]
                print(f"{name:12}{kept:18.0%}{side:8}   {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
