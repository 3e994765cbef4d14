"""Head pose from five landmarks: the rotation of a rigid head under scaled orthographic projection. Pure.

The least-squares fit of a projection to known points is that of POSIT's first step (DeMenthon, Davis, IJCV 1995).
docs/attributes.md states the error.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.types import Floats

# Landmarks of a frontal head in eye distances: right as the viewer sees it, down, away from the camera. The first two
# coordinates are medians of the neutral photos of London. The depth of the nose tip is the value of 0.45, 0.5 ... 0.65
# with which yaw follows MediaPipe's Face Mesh best (docs/attributes.md).
_HEAD: Final = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.518, -0.6], [-0.396, 1.074, 0], [0.396, 1.074, 0]])
_TO_PROJECTION: Final = np.linalg.pinv(_HEAD - _HEAD.mean(axis=0))


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Rotation of the head in degrees; all are 0 for an upright head that faces the camera.

    `yaw` is positive if the face looks to the right edge of the photo, `pitch` if it looks up, and `roll` if the head
    is tilted clockwise as the viewer sees it.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(landmarks: Floats) -> HeadPose:
    """Return the head pose of landmarks (5, 2) in pixels; see `Detection` for their order.

    Three turns make the pose: first the roll, then the pitch, then the yaw about the vertical axis of the photo.
    """
    points = landmarks.astype(np.float64)
    projection = (_TO_PROJECTION @ (points - points.mean(axis=0))).T
    left, _, right = np.linalg.svd(projection, full_matrices=False)
    across, down = left @ right  # the nearest rows of a rotation
    away = np.cross(across, down)
    nose = -np.array([across[2], down[2], away[2]])
    yaw = np.arctan2(nose[0], -nose[2])
    pitch = np.arcsin(np.clip(-nose[1], -1, 1))
    eyes = np.array([across[0], down[0], away[0]])
    roll = np.arctan2(*(axis @ eyes for axis in _upright_axes(yaw, pitch)))
    return HeadPose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))


def _upright_axes(yaw: float, pitch: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the downward axis and the axis from eye to eye point after pitch and yaw, without roll."""
    down = np.array([np.sin(yaw) * np.sin(pitch), np.cos(pitch), -np.cos(yaw) * np.sin(pitch)])
    return down, np.array([np.cos(yaw), 0, np.sin(yaw)])
