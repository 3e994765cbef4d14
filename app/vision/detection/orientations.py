"""Detectors around a detector: one searches all orientations of a photo, one shrinks large photos first."""

import numpy as np

from app.types import Detection, Floats, Pixels
from app.vision.detection.detections import Detector
from app.vision.detection.evidence import ENOUGH, strongest
from app.vision.detection.views import fitted

_BETTER = 0.1  # a close-up gave 0.79 upright and, wrongly, 0.89 upside down
_SURE = 0.9  # a turned photo gave 0.85 wrongly, and 0.93 once it was turned back
_QUARTERS = (1, 3, 2)  # quarter turns counter-clockwise; upside down is the rarest
_ROOM = 2  # largest side of the turned copy, as a multiple of the detector's


class OrientationSearch:
    """See `Detector`. If the upright photo shows no convincing face, the three other orientations are tried.

    `scout` is a cheap detector that rates each orientation; `detector` then searches the best one. Its faces replace
    the upright ones if their evidence is higher. They are returned in pixels of the photo as given.
    """

    def __init__(self, detector: Detector, scout: Detector, longest_side: int) -> None:
        """`longest_side` is the side to which `detector` shrinks a photo."""
        self._detector = detector
        self._scout = scout
        self._longest_side = longest_side

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        upright = self._detector.detect(pixels)
        least = strongest(upright)
        if least >= ENOUGH:
            return upright
        view = fitted(pixels, self._longest_side * _ROOM, grid=1)
        small = fitted(view.pixels, self._longest_side // 2, grid=1).pixels
        ratings = {quarters: strongest(self._scout.detect(_rotated(small, quarters))) for quarters in _QUARTERS}
        best = max(_QUARTERS, key=lambda quarters: ratings[quarters])
        needed = max(ENOUGH, min(least + _BETTER, _SURE))
        if ratings[best] < needed:
            return upright
        faces = self._detector.detect(_rotated(view.pixels, best))
        if strongest(faces) < needed:
            return upright
        return [_rotated_back(face, best, view.pixels.shape).scaled(1 / view.scale) for face in faces]


class ShrinkingDetector:
    """See `Detector`. Photos whose longer side exceeds `longest_side` are shrunk, which bounds the work."""

    def __init__(self, detector: Detector, longest_side: int) -> None:
        self._detector = detector
        self._longest_side = longest_side

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        view = fitted(pixels, self._longest_side, grid=1)
        return [face.scaled(1 / view.scale) for face in self._detector.detect(view.pixels)]


def _rotated(pixels: Pixels, quarters: int) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, quarters))


def _rotated_back(face: Detection, quarters: int, shape: tuple[int, ...]) -> Detection:
    """Return a face of a rotated photo in pixels of the original, which has `shape` (height, width, ...)."""
    corners = _points_back(np.array(face.box, np.float32).reshape(2, 2), quarters, shape)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Detection((left, top, right, bottom), face.score, _points_back(face.landmarks, quarters, shape))


def _points_back(points: Floats, quarters: int, shape: tuple[int, ...]) -> Floats:
    """Return points (n, 2) of a photo rotated counter-clockwise by quarter turns, in pixels of the original."""
    height, width = shape[:2]
    x, y = points.T
    back = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.stack(back[quarters], axis=1)
