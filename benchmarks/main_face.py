"""Measure which face of a photo with bystanders is enrolled by each value of `face`.

python benchmarks/main_face.py --images DIR [--people 400] [--scenes 100]

DIR contains a folder per person, such as LFW's. "wrong" means that the enrolled face is not the person's: it resembles
the person's other photos less than another face of the photo does. For people with one photo, the person is the face
nearest to the middle, where LFW has its people. Intervals (95 %) resample people.

Scenes are two photos side by side, so that nobody stands in the middle, or with the bystander in the middle. They are
photos with a single face, enlarged twice. The bystander's is reduced so that its face has a share of the area.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from app.config import read_settings
from app.errors import NoFace, SeveralFaces
from app.recognition.analysis import AnalysedFaces, Analysis
from app.recognition.face_choice import FaceChoice, chosen_face
from app.types import Floats
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

_CHOICES = (FaceChoice.ONLY, FaceChoice.MAIN, FaceChoice.LARGEST)
_MOST_FACES = 6
_RATIOS = (0.2, 0.35, 0.5, 0.6, 0.7, 0.85, 1.0)
_ROUNDS = 1000
_ENROLLED, _REFUSED, _WRONG = range(3)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of LFW with its faces; `person` is the place of the person's face among them."""

    path: Path
    faces: AnalysedFaces
    person: int = 0


def photos_of(analysis: Analysis, folder: Path) -> list[Photo]:
    """Return the photos of a person that show a face."""
    photos = [
        Photo(path, analysis.analyse(path.read_bytes(), is_flip_averaged=True, most=_MOST_FACES))
        for path in sorted(folder.iterdir())
    ]
    photos = [each for each in photos if each.faces]
    return [Photo(each.path, each.faces, own_face(each, photos)) for each in photos]


def own_face(photo: Photo, photos: Sequence[Photo]) -> int:
    """Return the place of the face that resembles the person's other photos most, or else of the most central one."""
    others = [each.faces[0].vector for each in photos if each is not photo]
    if others:
        return int(np.argmax([face.vector @ np.sum(others, axis=0) for face in photo.faces]))
    width, height = Pillow.open(photo.path).size

    def off_centre(place: int) -> float:
        left, top, right, bottom = photo.faces[place].detection.box
        return math.hypot(left + right - width, top + bottom - height)

    return min(range(len(photo.faces)), key=off_centre)


def outcome(faces: AnalysedFaces, choice: FaceChoice, *, is_own: bool) -> int:
    """Return whether the person is enrolled, refused, or another one enrolled; `is_own`: the main face is theirs."""
    try:
        chosen_face(faces, choice)
    except (NoFace, SeveralFaces):
        return _REFUSED
    return _ENROLLED if is_own else _WRONG


def interval(shares: Floats, weights: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Return the interval of a share: hits (n,) over photos (n,) of n people."""
    drawn = rng.integers(len(shares), size=(_ROUNDS, len(shares)))
    low, high = np.quantile(shares[drawn].sum(1) / weights[drawn].sum(1), (0.025, 0.975))
    return float(low), float(high)


def print_photos(people: Sequence[Sequence[Photo]]) -> None:
    """Print how often each choice refuses, and how often it enrolls somebody else."""
    rng = np.random.default_rng(0)
    counts = np.array([len(photos) for photos in people], np.float32)
    several = sum(photo.faces.detected > 1 for photos in people for photo in photos)
    print(f"{counts.sum():.0f} photos of {len(people)} people, {several / counts.sum():.1%} with several faces")
    for choice in _CHOICES:
        cells = []
        for kind, name in ((_REFUSED, "refused"), (_WRONG, "wrong")):
            hits = np.array(
                [sum(outcome(p.faces, choice, is_own=p.person == 0) == kind for p in photos) for photos in people],
                np.float32,
            )
            low, high = interval(hits, counts, rng)
            cells.append(f"{name} {hits.sum() / counts.sum():7.2%} [{low:.2%}, {high:.2%}]")
        print(f"  face={choice:<8} " + "   ".join(cells))


def scene(main: Photo, other: Photo, ratio: float, *, is_in_middle: bool) -> tuple[bytes, float]:
    """Return a PNG with the main photo on the left, and where the main photo ends (x in pixels)."""

    def side(photo: Photo) -> float:
        left, top, right, bottom = photo.faces[0].detection.box
        return math.sqrt((right - left) * (bottom - top))

    first = Pillow.open(main.path).convert("RGB")
    first = first.resize((2 * first.width, 2 * first.height))
    second = Pillow.open(other.path).convert("RGB")
    scale = 2 * math.sqrt(ratio) * side(main) / side(other)
    second = second.resize((round(second.width * scale), round(second.height * scale)))
    width = first.width + second.width + (first.width if is_in_middle else 0)
    canvas = Pillow.new("RGB", (width, max(first.height, second.height)), (120, 120, 120))
    canvas.paste(first, (0, canvas.height - first.height))
    canvas.paste(second, (first.width, canvas.height - second.height))
    data = BytesIO()
    canvas.save(data, "PNG", compress_level=1)
    return data.getvalue(), float(first.width)


def print_scenes(analysis: Analysis, people: Sequence[Sequence[Photo]], count: int) -> None:
    """Print the outcome of `face=main` for scenes, by the bystander's share of the area."""
    alone = [photos[0] for photos in people if photos and photos[0].faces.detected == 1]
    pairs = list(zip(alone[0 : 2 * count : 2], alone[1 : 2 * count : 2], strict=False))
    for is_in_middle in (False, True):
        print(f"{len(pairs)} scenes, the bystander {'in the middle' if is_in_middle else 'beside'}; face=main")
        for ratio in _RATIOS:
            counts = [0, 0, 0]
            for main, other in pairs:
                data, end = scene(main, other, ratio, is_in_middle=is_in_middle)
                faces = analysis.analyse(data, is_flip_averaged=False, most=1)
                is_main = bool(faces) and faces[0].detection.box[0] < end
                counts[outcome(faces, FaceChoice.MAIN, is_own=is_main)] += 1
            enrolled, refused, wrong = (each / len(pairs) for each in counts)
            print(f"  area {ratio:4.2f}: larger enrolled {enrolled:4.0%}, refused {refused:4.0%}, smaller {wrong:4.0%}")


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--people", type=int, help="random people; default: all")
    parser.add_argument("--scenes", type=int, default=100)
    options = parser.parse_args()
    settings = read_settings()
    analysis = ModelLoader(settings, open_packs(settings)).default_analysis()
    folders = np.random.default_rng(0).permutation(sorted(options.images.iterdir()))
    people = [photos for folder in folders[: options.people] if (photos := photos_of(analysis, folder))]
    print_photos(people)
    print_scenes(analysis, people, options.scenes)


if __name__ == "__main__":
    main()
