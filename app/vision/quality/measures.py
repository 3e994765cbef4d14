"""Measurements of an aligned face. Pure."""

from dataclasses import dataclass, field
from types import MappingProxyType

import cv2
import numpy as np

from app.types import Floats, Pixels
from app.vision.imaging.decode import Image
from app.vision.quality.components import Components
from app.vision.quality.detail import band_variances, detail_components
from app.vision.quality.geometry import geometry_components
from app.vision.quality.light import FACE, light_components

# Root mean square distance of an aligned face's five landmarks from their centre, as a share of the crop's side.
_LANDMARK_SPREAD = 0.2076
_WHITE = 250


@dataclass(frozen=True, slots=True)
class Measures:
    """Measurements of a face that do not depend on the embedding network.

    `size`: side in pixels of the photo's square that became the crop. `sharpness`: contrast at 2-4 pixels of the crop
    divided by that at 4-8 (about 0.64; 0.4 is blurred). `brightness`: mean luma, 0..255. `clipped`: share of pixels
    with a luma above 250. `turn`: offset of the nose tip from the middle of the eyes, in eye distances. To the right it
    is positive; 0.45 is about 45 degrees of yaw. `components`: those that could be measured.
    """

    size: float
    sharpness: float
    brightness: float
    clipped: float
    turn: float
    components: Components = field(default_factory=dict)


def measure(
    crop: Pixels, landmarks: Floats, *, image: Image | None = None, signs: Components | None = None
) -> Measures:
    """Measure a face.

    Args:
        crop: Aligned crop (112, 112, 3), RGB.
        landmarks: Landmarks (5, 2) in pixels of the photo before any reduction.
        image: Photo of the face. Without it the components of margins and compression are left out.
        signs: Components that networks found in the crop.
    """
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    variances = band_variances(luma)
    fine, coarse = np.sqrt(variances)
    spread = float(np.sqrt(((landmarks - landmarks.mean(axis=0)) ** 2).sum(axis=1).mean()))
    size, inner = spread / _LANDMARK_SPREAD, luma[FACE]
    return Measures(
        size=size,
        sharpness=float(fine / max(coarse, np.float32(1e-3))),
        brightness=float(inner.mean()),
        clipped=float((inner > _WHITE).mean()),
        turn=_turn(landmarks),
        components=MappingProxyType(
            {
                **light_components(crop, luma),
                **detail_components(luma, variances, landmarks=landmarks, size=size, image=image),
                **(signs or {}),
                **geometry_components(landmarks, None if image is None else _size_of(image)),
            }
        ),
    )


def _size_of(image: Image) -> tuple[int, int]:
    height, width = image.pixels.shape[:2]
    return height * image.reduction, width * image.reduction


def _turn(landmarks: Floats) -> float:
    left_eye, right_eye, nose = landmarks[:3].astype(np.float64)
    axis = right_eye - left_eye
    squared = float(axis @ axis)
    return float((nose - (left_eye + right_eye) / 2) @ axis / squared) if squared else 0.0
