"""Two detectors in a row: a quick one finds the faces, a precise one places their landmarks on crops."""

import numpy as np

from app.detection.boxes import overlaps
from app.detection.found import Detector, Found, Network
from app.detection.views import View
from app.faces import Detection, Pixels
from app.imaging.warp import warp

# The landmarker sees each face about this large, in the middle of a crop of this side; chosen by the figures in
# docs/adr/0004-cascade-detector.md.
FACE_SIDE = 160
CROP_SIDE = 320

_LOWEST_SCORE = 0.3
_SAME_FACE = 0.3
_LARGEST_BATCH = 8


class Cascade:
    """See `Detector`. Where the finder sees nobody (noise, odd angles), `fallback` has a look at the whole photo."""

    def __init__(self, finder: Detector, landmarker: Network, fallback: Detector) -> None:
        self._finder = finder
        self._landmarker = landmarker
        self._fallback = fallback

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        found = self._finder.detect(pixels) or self._fallback.detect(pixels)
        views = [_close_view(pixels, detection) for detection in found]
        placed: list[Detection] = []
        for start in range(0, len(found), _LARGEST_BATCH):
            batch = views[start : start + _LARGEST_BATCH]
            seen = self._landmarker.find(np.stack([view.pixels for view in batch]), _LOWEST_SCORE)
            placed += [
                _with_landmarks(detection, view.to_photo(faces))
                for detection, view, faces in zip(found[start:], batch, seen, strict=False)
            ]
        return placed


def _close_view(pixels: Pixels, detection: Detection) -> View:
    """Return a square crop around the face, in which its longer side measures FACE_SIDE pixels."""
    left, top, right, bottom = detection.box
    scale = FACE_SIDE / max(right - left, bottom - top, 1.0)
    x, y = CROP_SIDE / 2 - scale * (left + right) / 2, CROP_SIDE / 2 - scale * (top + bottom) / 2
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    return View(warp(pixels, matrix, CROP_SIDE), scale, x, y)


def _with_landmarks(detection: Detection, faces: Found) -> Detection:
    """Return the detection with the landmarks of the face that the landmarker saw in its place, if it saw one."""
    overlap = overlaps(np.array(detection.box, np.float32), faces.boxes)
    likely = np.where(overlap >= _SAME_FACE, overlap * faces.scores, 0)
    if not likely.any():
        return detection
    return Detection(detection.box, detection.score, faces.landmarks[int(likely.argmax())])
