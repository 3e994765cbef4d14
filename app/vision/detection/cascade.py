"""Two detectors in a row: a quick one finds the faces, a precise one places their landmarks on crops."""

import numpy as np

from app.types import Detection, Pixels
from app.vision.detection.boxes import overlaps
from app.vision.detection.found import Detector, Found, Network
from app.vision.detection.main_face import most_prominent_first
from app.vision.detection.views import View
from app.vision.imaging.warp import warp

# The landmarker sees each face about this large, in the middle of a crop of this side; chosen by the figures in
# docs/adr/0004-cascade-detector.md.
FACE_SIDE = 160
CROP_SIDE = 320

_LOWEST_SCORE = 0.3
_SAME_FACE = 0.3
_LARGEST_BATCH = 8


class Cascade:
    """See `Detector`. Where the finder sees nobody (noise, odd angles), `fallback` has a look at the whole photo."""

    def __init__(self, finder: Detector, landmarker: Network, fallback: Detector, *, most: int = 100) -> None:
        """Landmarks are placed on the `most` most prominent faces; others keep the finder's."""
        self._finder = finder
        self._landmarker = landmarker
        self._fallback = fallback
        self._most = most

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        found = [*(self._finder.detect(pixels) or self._fallback.detect(pixels))]
        prominent = {id(each) for each in most_prominent_first(found, pixels.shape)[: self._most]}
        places = [place for place, each in enumerate(found) if id(each) in prominent]
        for start in range(0, len(places), _LARGEST_BATCH):
            batch = places[start : start + _LARGEST_BATCH]
            views = [_close_view(pixels, found[place]) for place in batch]
            seen = self._landmarker.find(np.stack([view.pixels for view in views]), _LOWEST_SCORE)
            for place, view, faces in zip(batch, views, seen, strict=True):
                found[place] = _with_landmarks(found[place], view.to_photo(faces))
        return found


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
