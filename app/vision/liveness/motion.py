"""Motion of a face between two frames: parallax of the nose tip, tilt and nearness, from five landmarks. Pure.

The eyes and the corners of the mouth are nearly in one plane, and the nose tip is in front of it. All views of a flat
photo are related by homographies, however it is moved and tilted. They preserve the place of the nose among the four
other points, because five coplanar points have two projective invariants (Mundy and Zisserman, "Geometric Invariance in
Computer Vision", 1992). If a head turns, this place changes (De Marsico et al., "Moving Face Spoofing Detection via 3D
Projective Invariants", ICB 2012).
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Floats

_NOSE: Final = 2
_PLANE: Final = (0, 1, 3, 4)  # the eyes and the corners of the mouth
_AROUND: Final = (0, 1, 3, 2)  # these four in the order of a quadrilateral
# Where they are in a frontal face, with the middle of the eyes at (0, 0), in eye distances. Medians of LFW.
_FRONTAL: Final = np.array([[-0.5, 0], [0.5, 0], [-0.41, 1.08], [0.41, 1.08]], np.float32)
_NOSE_DEPTH: Final = 0.55  # of the nose tip in front of the plane, in eye distances; median of LFW
_LEAST_AREA: Final = 0.02  # of each corner's triangle, in squared lengths of the longest side

# By measurement (benchmarks/liveness_motion.py).
_LEAST_PARALLAX: Final = 0.18
_LEAST_SHARE: Final = 0.4
_MOST_TILT: Final = np.radians(50)  # detected landmarks are too inaccurate beyond it
_FLAT_TILT: Final = np.radians(35)
_FLAT_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion of a face from one frame to another.

    `across` and `along` are the parallax of the nose tip in the plane of the eyes and the mouth, in eye distances: to
    the right of the picture, which is the person's left, and towards the mouth. `tilt` is the angle, in radians, by
    which the plane seems to turn. `growth` is the ratio of the sizes.
    """

    across: float
    along: float
    tilt: float
    growth: float

    @property
    def parallax(self) -> float:
        """Length of the parallax, in eye distances."""
        return float(np.hypot(self.across, self.along))

    @property
    def has_depth(self) -> bool:
        """Whether the nose moved as that of a turning head does: far enough, also for this tilt."""
        return self.tilt <= _MOST_TILT and self.parallax >= max(_LEAST_PARALLAX, _LEAST_SHARE * self._expected)

    @property
    def is_flat(self) -> bool:
        """Whether the face tilts far, and the nose moves with it as if it were printed."""
        return self.tilt >= _FLAT_TILT and self.parallax < _FLAT_SHARE * self._expected

    @property
    def _expected(self) -> float:
        return float(_NOSE_DEPTH * np.tan(self.tilt))


def motion(start: Floats, end: Floats) -> Motion | None:
    """Return the motion between landmarks (5, 2) of two frames; None if a face is seen from the side."""
    places = _nose_place(start), _nose_place(end)
    if places[0] is None or places[1] is None:
        return None
    across, along = places[1] - places[0]
    return Motion(float(across), float(along), _tilt(start, end), _size(end) / _size(start))


def _nose_place(landmarks: Floats) -> NDArray[np.float64] | None:
    """Return the nose tip (2,) in the frontal plane; None unless the four others are a convex quadrilateral."""
    plane = np.ascontiguousarray(landmarks[list(_PLANE)], np.float32)
    if not _is_quadrilateral(plane):
        return None
    x, y, w = cv2.getPerspectiveTransform(plane, _FRONTAL) @ np.append(landmarks[_NOSE].astype(np.float64), 1)
    return np.array([x / w, y / w]) if w > np.finfo(np.float32).eps else None


def _is_quadrilateral(plane: Floats) -> bool:
    corners = plane[list(_AROUND)].astype(np.float64)
    sides = np.roll(corners, -1, axis=0) - corners
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    return bool((turns > _LEAST_AREA * (sides**2).sum(axis=1).max()).all())


def _tilt(start: Floats, end: Floats) -> float:
    """Return the angle by which a plane turns if its image changes as from `start` to `end`, by weak perspective."""
    places = np.column_stack([start[list(_PLANE)], np.ones(len(_PLANE))]).astype(np.float64)
    affine = np.linalg.lstsq(places, end[list(_PLANE)].astype(np.float64), rcond=None)[0][:2]
    largest, smallest = np.linalg.svd(affine, compute_uv=False)
    return float(np.arccos(np.clip(smallest / largest, 0, 1)))


def _size(landmarks: Floats) -> float:
    """Return the larger of the distances between the eyes, and from the eyes to the mouth: a turn reduces only one."""
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks.astype(np.float64)
    eyes, down = right_eye - left_eye, (left_mouth + right_mouth - left_eye - right_eye) / 2
    return float(max(np.hypot(*eyes), np.hypot(*down)))
