"""Components of pose, size and margins, from five landmarks. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.types import Floats
from app.vision.quality.components import Component, Components
from app.vision.quality.scales import rising

Points = NDArray[np.float64]

# Medians of LFW's frontal faces: depth of the nose tip before the eyes and the mouth in eye distances, its place
# between the eyes (0) and the mouth (1), and the width of the mouth in eye distances.
_NOSE_DEPTH, _NOSE_PLACE, _MOUTH_WIDTH = 0.55, 0.53, 0.82
_CHIN = 1.52  # distance from the eyes to the chin, in distances from the eyes to the mouth
_POSE: Final = (Component.HEAD_POSE_YAW, Component.HEAD_POSE_PITCH, Component.HEAD_POSE_ROLL)
_LEAST = 1e-6


def geometry_components(landmarks: Floats, photo_size: tuple[int, int] | None) -> Components:
    """Return the components of landmarks (5, 2) in pixels of a photo of this (height, width).

    The margins are left out if the size is None.
    """
    points = landmarks.astype(np.float64)
    yaw, pitch, roll = _turn_angles(points)
    found = {name: 100 * float(np.cos(angle)) ** 2 for name, angle in zip(_POSE, (yaw, pitch, roll), strict=True)}
    apart = _length(points[1] - points[0])
    found[Component.INTER_EYE_DISTANCE] = rising(apart / max(float(np.cos(yaw)), 0.3), middle=16, steepness=2)
    return found if photo_size is None else {**found, **_margins(points, photo_size)}


def _turn_angles(points: Points) -> tuple[float, float, float]:
    """Return estimates of yaw (0..), pitch (0..) and roll, in radians within 90 degrees, of landmarks (5, 2).

    They come from the nose tip, which is nearer to the camera, and from perspective: what is farther away is shorter.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = points
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    axis, down = right_eye - left_eye, mouth - eyes
    area = axis[0] * down[1] - axis[1] * down[0]
    if abs(area) < _LEAST:
        return np.pi / 2, np.pi / 2, np.pi / 2
    to_nose = nose - eyes
    across = (to_nose[0] * down[1] - to_nose[1] * down[0]) / area
    along = (axis[0] * to_nose[1] - axis[1] * to_nose[0]) / area
    sides = _log_ratio(_length(left_mouth - left_eye), _length(right_mouth - right_eye))
    widths = _log_ratio(_length(right_mouth - left_mouth), _length(axis) * _MOUTH_WIDTH)
    yaw = np.hypot(across / _NOSE_DEPTH, sides)
    pitch = np.hypot((along - _NOSE_PLACE) * _length(down) / _length(axis) / _NOSE_DEPTH, widths)
    return float(np.arctan(yaw)), float(np.arctan(pitch)), _within_quarter(float(np.arctan2(axis[1], axis[0])))


def _margins(points: Points, photo_size: tuple[int, int]) -> Components:
    """Return how far the eyes are from the photo's edges, in eye distances and in lengths from eyes to chin."""
    height, width = photo_size
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    apart, chin = _length(points[1] - points[0]), _length(mouth - eyes) * _CHIN
    left, right = float(points[:2, 0].min()), width - float(points[:2, 0].max())
    return {
        Component.LEFTWARD_CROP: rising(left / apart, middle=0.9, steepness=4),
        Component.RIGHTWARD_CROP: rising(right / apart, middle=0.9, steepness=4),
        Component.MARGIN_ABOVE: rising(float(eyes[1]) / chin, middle=0.6, steepness=4),
        Component.MARGIN_BELOW: rising((height - float(eyes[1])) / chin, middle=1.0, steepness=4),
    }


def _length(vector: Points) -> float:
    return max(float(np.hypot(*vector)), _LEAST)


def _log_ratio(one: float, other: float) -> float:
    return float(np.log(one / other))


def _within_quarter(angle: float) -> float:
    return float(np.clip(angle, -np.pi / 2, np.pi / 2))
