"""Measure whether each degradation of ofiq-syngen lowers its own quality component, and grows with its strength.

pip install ofiq-syngen==0.5.2
python benchmarks/quality_components.py --images ../shared/london/neutral [--most 100] [--only sharpness ...]

ofiq-syngen (MIT) degrades photos for one component of ISO/IEC 29794-5 at a time. Its own networks are not needed: the
places of the coverings come from ArcID's landmarks. A photo in which no face is found any more counts as 0.

Columns: the share of photos whose component is lower than without the degradation, at strengths 0.6 and 1; the share
whose five strengths are ranked right (correlation above 0.9); and the share in which no strength raises the component
by more than a point.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from numpy.typing import NDArray
from ofiq_syngen import COMPONENT_REGISTRY

from app.config import read_settings
from app.recognition.analysis import Analysis, Face
from app.types import Floats
from app.vision.quality import Component
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

Photo = NDArray[np.uint8]
Degrade = Callable[[Photo, float, int, SimpleNamespace | None], Photo]

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
_COVERINGS = (Component.EYES_VISIBLE, Component.MOUTH_OCCLUSION_PREVENTION, Component.FACE_OCCLUSION_PREVENTION)
_CHIN = 1.52  # distance from the eyes to the chin, in distances from the eyes to the mouth


def operators() -> Iterator[tuple[Component, str, Degrade, bool]]:
    """Yield the operators of components that ArcID has: component, description, function, whether it needs a place."""
    ours = {str(component).replace("_", ""): component for component in Component}
    for name, entries in COMPONENT_REGISTRY.items():
        component = ours.get(name.removesuffix(".scalar").lower())
        if component is None:
            continue
        for entry in entries:
            yield component, entry.description.split(" [")[0], entry.function, component in _COVERINGS


def place(photo: Photo, landmarks: Floats) -> SimpleNamespace:
    """Return what the operators of coverings ask of a face, from five landmarks."""
    left, right, nose, left_mouth, right_mouth = landmarks.astype(float)
    apart, eyes, mouth = float(np.linalg.norm(right - left)), (left + right) / 2, (left_mouth + right_mouth) / 2
    points = np.zeros((98, 2))
    points[54], points[16], points[76], points[82] = nose, eyes + (mouth - eyes) * _CHIN, left_mouth, right_mouth
    face = np.zeros(photo.shape[:2], np.uint8)
    centre = [int(each) for each in eyes + (mouth - eyes) * 0.5]
    cv2.ellipse(face, centre, (int(apart), int(apart * 1.4)), 0, 0, 360, 1, -1)
    zones = [
        (int(x - apart * 0.35), int(y - apart * 0.2), int(apart * 0.7), int(apart * 0.4)) for x, y in (left, right)
    ]
    return SimpleNamespace(
        left_evz=zones[0], right_evz=zones[1], landmarks_98=points, eye_midpoint=tuple(eyes), ied=apart, face_mask=face
    )


def value(analysis: Analysis, photo: Photo, component: Component) -> float:
    """Return the component of the main face, 0 without a face."""
    face = found_in(analysis, photo)
    return face.measures.components[component] if face else 0.0


def found_in(analysis: Analysis, photo: Photo) -> Face | None:
    """Return the main face of a photo, BGR."""
    data = cv2.imencode(".png", photo)[1].tobytes()
    faces = analysis.analyse(data, is_flip_averaged=False, most=1)
    return faces[0] if faces else None


def is_monotone(values: list[float]) -> bool:
    """Return whether the rank correlation with the strength is below -0.9."""
    ranks = np.argsort(np.argsort(values))
    return bool(np.corrcoef(ranks, np.arange(len(values)))[0, 1] < -0.9)


def is_falling(values: list[float]) -> bool:
    """Return whether no strength raises the component by more than a point."""
    return bool((np.diff(values) <= 1).all())


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--only", nargs="+", default=[], help="components; default: all that have an operator")
    options = parser.parse_args()
    settings = read_settings()
    analysis = ModelLoader(settings, open_packs(settings)).default_analysis()
    paths = sorted(options.images.rglob("*.jpg"))
    photos = [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths[:: max(1, len(paths) // options.most)]]
    faces = [(photo, face) for photo in photos if (face := found_in(analysis, photo))]
    print(f"{'component':36} {'operator':44} {'lower at 0.6':>12} {'at 1':>6} {'ranks':>7} {'no rise':>7}")
    for component, description, degrade, is_placed in operators():
        if options.only and component not in options.only:
            continue
        rows = []
        for seed, (photo, face) in enumerate(faces):
            context = place(photo, face.detection.landmarks) if is_placed else None
            bad = [degrade(photo, strength, seed, context) for strength in STRENGTHS]
            rows.append([face.measures.components[component], *(value(analysis, each, component) for each in bad)])
        table = np.array(rows)
        lower = (table[:, 1:] < table[:, :1]).mean(axis=0)
        ranks, falling = (np.mean([judge(row) for row in rows]) for judge in (is_monotone, is_falling))
        shares = f"{lower[2]:12.1%} {lower[4]:6.1%} {ranks:7.1%} {falling:7.1%}"
        print(f"{component:36} {description:44} {shares}", flush=True)


if __name__ == "__main__":
    main()
