"""Measure the geometry of liveness challenges: flat photos moved by hand, re-encoded photos, and turned heads.

python benchmarks/liveness_motion.py --portraits DIR --turned DIR [--smiling DIR] [--tilts 20] [--people 8]

`--portraits` contains frontal photos. Each is seen as a flat photo: moved, scaled, rotated and tilted in perspective by
up to 60 degrees, also bent around an upright cylinder. `--turned` contains a folder per person, such as LFW's; the
people with the most photos are compared with their own frontal photos, and stand for heads that turn. `--smiling`
contains photos of the people of `--portraits`, under the same names. Every photo is detected as the service does. A
table has the parallax of the nose in eye distances, and the share of views that would follow each prompt that shows
depth, or count as flat.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from app.config import read_settings
from app.types import Floats, Pixels
from app.vision.detection.detections import Detector
from app.vision.detection.main_face import most_prominent_first
from app.vision.liveness.motion import Motion, motion
from app.vision.liveness.prompts import Prompt
from app.wiring.networks import open_detector, open_runtime
from app.wiring.storage import open_packs

_DEPTH_PROMPTS = (Prompt.TURN_LEFT, Prompt.TURN_RIGHT, Prompt.LOOK_UP)
_TILTS = (20, 35, 45, 60)
_FRONTAL_ACROSS, _FRONTAL_ALONG = 0.06, 0.09
_LEVEL = np.array([[-0.5, 0], [0.5, 0], [0, 0.57], [-0.41, 1.08], [0.41, 1.08]], np.float32)


def pixels_of(path: Path) -> Pixels:
    """Read a photo."""
    return np.asarray(Pillow.open(path).convert("RGB"))


def landmarks_of(detector: Detector, pixels: Pixels) -> Floats | None:
    """Return the landmarks (5, 2) of the main face, or None."""
    detections = most_prominent_first(detector.detect(pixels), pixels.shape)
    return detections[0].landmarks if detections else None


def turning(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return the rotation (3, 3) by three angles in radians."""
    across = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    along = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    within = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(within @ along @ across)


def tilted(pixels: Pixels, rotation: NDArray[np.float64], distance: float, zoom: float) -> Pixels:
    """Return a view of a flat photo, from a distance in its heights."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    space = np.column_stack([(corners - [width / 2, height / 2]) / height, np.zeros(4)]) @ rotation.T
    seen = space[:, :2] / (space[:, 2:] + distance) * distance * zoom * height + [width / 2, height / 2]
    homography = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    view = cv2.warpPerspective(pixels, homography, (width, height), flags=cv2.INTER_AREA, borderValue=(128, 128, 128))
    return np.asarray(view, np.uint8)


def bent(pixels: Pixels, radius: float, yaw: float) -> Pixels:
    """Return a distant view of a photo on an upright cylinder (`radius` in widths of the photo), turned by `yaw`."""
    height, width = pixels.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    angle = np.arcsin(np.clip((x / width - 0.5) / radius + np.sin(yaw), -1, 1)) - yaw
    source = ((angle * radius) + 0.5) * width
    view = cv2.remap(pixels, source.astype(np.float32), y, cv2.INTER_LINEAR, borderValue=(128, 128, 128))
    return np.asarray(view, np.uint8)


def encoded(pixels: Pixels) -> Iterator[Pixels]:
    """Return a photo at other sizes and qualities."""
    for scale, quality in ((0.6, 90), (1.0, 50), (0.8, 70)):
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield np.asarray(cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


def report(name: str, motions: Sequence[Motion | None]) -> None:
    """Print a row."""
    seen = [each for each in motions if each is not None]
    if not seen:
        return
    parallax = np.array([each.parallax for each in seen])
    shares = [np.mean([each is not None and prompt.is_followed(each) for each in motions]) for prompt in _DEPTH_PROMPTS]
    flat = np.mean([each is not None and each.is_flat for each in motions])
    quantiles = " ".join(f"{each:6.3f}" for each in np.quantile(parallax, (0.5, 0.95, 0.99, 1)))
    print(f"{name:24} {len(seen):6} {quantiles} {' '.join(f'{each:9.2%}' for each in (*shares, flat))}")


def between(start: Floats | None, end: Floats | None) -> Motion | None:
    """Return the motion between two photos if both have a face."""
    return None if start is None or end is None else motion(start, end)


def flat_photos(detector: Detector, portraits: Path, tilts: int) -> None:
    """Print the rows of flat photos."""
    rng = np.random.default_rng(1)
    again: list[Motion | None] = []
    moved: dict[str, list[Motion | None]] = {}
    for path in sorted(portraits.iterdir()):
        pixels = pixels_of(path)
        start = landmarks_of(detector, pixels)
        again += [between(start, landmarks_of(detector, each)) for each in encoded(pixels)]
        for number in range(tilts):
            most = _TILTS[number % len(_TILTS)]
            yaw, pitch, roll = np.radians(rng.uniform(-1, 1, 3) * (most, most, 25))
            view = tilted(pixels, turning(yaw, pitch, roll), rng.uniform(1.2, 3), rng.uniform(0.5, 1.2))
            moved.setdefault(f"flat, to {most} degrees", []).append(between(start, landmarks_of(detector, view)))
        for radius in (1.5, 1.0, 0.7):
            view = bent(pixels, radius, float(np.radians(rng.choice([-30, 30]))))
            moved.setdefault(f"bent, radius {radius}", []).append(between(start, landmarks_of(detector, view)))
    report("re-encoded", again)
    for name, motions in moved.items():
        report(name, motions)


def smiles(detector: Detector, portraits: Path, smiling: Path) -> None:
    """Print the row of people who smile instead of moving."""
    pairs = [(portraits / each.name, each) for each in sorted(smiling.iterdir()) if (portraits / each.name).exists()]
    faces = [[landmarks_of(detector, pixels_of(path)) for path in pair] for pair in pairs]
    motions = [between(*pair) for pair in faces]
    report("smiling", motions)
    along = [each.along for each in motions if each is not None]
    print(f"{'  downwards':24} {'':6} {' '.join(f'{each:6.3f}' for each in np.quantile(along, (0.5, 0.95, 0.99, 1)))}")


def turned_heads(detector: Detector, folder: Path, people: int) -> None:
    """Print the row of other photos of the same people, each against frontal ones."""
    motions: list[Motion | None] = []
    for person in sorted(folder.iterdir(), key=lambda each: -len(list(each.iterdir())))[:people]:
        faces = [
            each for path in sorted(person.iterdir()) if (each := landmarks_of(detector, pixels_of(path))) is not None
        ]
        frontal = [each for each in faces if _is_frontal(each)][:5]
        motions += [motion(start, end) for start in frontal for end in faces if end is not start]
    report("heads, any pose", motions)
    for least in (0.2, 0.3):
        turns = [each for each in motions if each is not None and abs(each.across) > max(least, abs(each.along))]
        report(f"heads, across > {least}", turns)


def _is_frontal(landmarks: Floats) -> bool:
    place = motion(_LEVEL, landmarks)
    return place is not None and abs(place.across) < _FRONTAL_ACROSS and abs(place.along) < _FRONTAL_ALONG


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--turned", type=Path, required=True)
    parser.add_argument("--smiling", type=Path)
    parser.add_argument("--tilts", type=int, default=20)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--detector", default="yunet+retinaface")
    options = parser.parse_args()
    settings = read_settings()
    detector = open_detector(open_packs(settings), options.detector, open_runtime(settings), settings)
    names = " ".join(f"{each:>9}" for each in (*(prompt.value[-9:] for prompt in _DEPTH_PROMPTS), "flat"))
    print(f"{'':24} {'n':>6} {'median':>6} {'95 %':>6} {'99 %':>6} {'most':>6} {names}")
    flat_photos(detector, options.portraits, options.tilts)
    if options.smiling is not None:
        smiles(detector, options.portraits, options.smiling)
    turned_heads(detector, options.turned, options.people)


if __name__ == "__main__":
    main()
