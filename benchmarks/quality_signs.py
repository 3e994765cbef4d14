"""Measure how often covered and moved faces get a reason, and how often unchanged photos get one.

python benchmarks/quality_signs.py --images ../shared/london [--most 200] [--seed 1]

Photos are covered (`occluders.py`) or blurred along a line, then detected, aligned and judged again. Figures are
shares of photos with the expected reason, and with any reason. A photo in which no face is found any more is left out.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from occluders import EYE_COVERINGS, MOUTH_COVERINGS, Draw, Image, Scene, coverage
from occlusion_samples import moved

from app.config import read_settings
from app.recognition.analysis import Analysis, Face
from app.vision.quality import Reason, judge
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

Change = Callable[[Image, Face, np.random.Generator, list[Image]], Image | None]
_LENGTHS = (0.2, 0.3, 0.45)  # of motion blur, in eye distances: 8, 13 and 19 pixels in a photo of LFW


def covered_by(draw: Draw) -> Change:
    """Return a change that covers; it returns None where chance covered too little."""

    def change(photo: Image, face: Face, rng: np.random.Generator, patches: list[Image]) -> Image | None:
        scene = Scene.of(photo, face.detection.landmarks.astype(np.float64), rng, patches)
        draw(scene)
        hidden = coverage(scene)
        return np.clip(scene.picture, 0, 255).astype(np.uint8) if max(hidden.eyes, hidden.mouth) > 0.5 else None

    return change


def moved_by(share: float) -> Change:
    """Return a change that blurs along a random line."""

    def change(photo: Image, face: Face, rng: np.random.Generator, patches: list[Image]) -> Image:
        del patches
        left, right = face.detection.landmarks[:2]
        return moved(photo, max(3.0, share * float(np.linalg.norm(right - left))), rng)

    return change


def compressed(photo: Image, face: Face, rng: np.random.Generator, patches: list[Image]) -> Image:
    """Return a photo as a surveillance camera would send it: a face of 62 pixels, noise, JPEG quality 30."""
    del patches
    left, right = face.detection.landmarks[:2]
    factor = 62 / (2.6 * float(np.linalg.norm(right - left)))
    small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + rng.normal(0, 10, small.shape), 0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def changes() -> dict[str, tuple[Reason | None, Change]]:
    """Return the changes by name, with the reason that each should get."""
    found: dict[str, tuple[Reason | None, Change]] = {"unchanged": (None, lambda photo, *_: photo)}
    found |= {f"eyes: {name}": (Reason.EYES_COVERED, covered_by(draw)) for name, draw in EYE_COVERINGS.items()}
    found |= {f"mouth: {name}": (Reason.MOUTH_COVERED, covered_by(draw)) for name, draw in MOUTH_COVERINGS.items()}
    found |= {f"moved by {share}": (Reason.MOTION_BLURRED, moved_by(share)) for share in _LENGTHS}
    return {**found, "surveillance camera": (Reason.COMPRESSED, compressed)}


def main_face(analysis: Analysis, photo: Image) -> Face | None:
    """Return the main face of a photo, RGB."""
    data = cv2.imencode(".png", np.ascontiguousarray(photo[:, :, ::-1]))[1].tobytes()
    faces = analysis.analyse(data, is_flip_averaged=True, most=1)
    return faces[0] if faces else None


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--most", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings = read_settings()
    loader = ModelLoader(settings, open_packs(settings))
    analysis, calibration = (
        loader.default_analysis(),
        loader.calibrations(loader.served[0]).shipped(is_flip_averaged=True),
    )
    typical_norm = calibration.typical_norm if calibration else None
    paths = sorted(options.images.rglob("*.jpg"))
    rng = np.random.default_rng(options.seed)
    chosen = rng.permutation(len(paths))[: options.most]
    photos = [np.asarray(cv2.imread(str(paths[each])), np.uint8)[:, :, ::-1] for each in chosen]
    patches = [np.ascontiguousarray(photo[:60, :60]) for photo in photos[:50]]
    faces = [(photo, face) for photo in photos if (face := main_face(analysis, photo))]
    for name, (reason, change) in changes().items():
        judged = []
        for photo, face in faces:
            bad = change(photo, face, rng, patches)
            again = main_face(analysis, bad) if bad is not None else None
            judged += [judge(again.measures, again.norm, typical_norm)] if again else []
        expected = np.mean([reason in each.reasons for each in judged]) if reason else float("nan")
        with_any = np.mean([bool(each.reasons) for each in judged])
        refused = np.mean([each.score < 0.25 for each in judged])
        counts = f"{len(judged):4} photos: expected reason {expected:6.1%}, any {with_any:6.1%}"
        print(f"{name:20} {counts}, quality below 0.25 {refused:6.1%}", flush=True)


if __name__ == "__main__":
    main()
