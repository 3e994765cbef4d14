"""Fake networks and detectors, and photos for them."""

from collections.abc import Sequence

import numpy as np

from app.types import Box, Detection, Floats, Pixels
from app.vision.detection.detections import Detections

# Five landmarks as shares of a box: eyes, nose, corners of the mouth.
SHARES: Floats = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def landmarks_in(boxes: Floats) -> Floats:
    """Return landmarks (n, 5, 2) for boxes (n, 4)."""
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    return np.asarray(boxes[:, None, :2] + SHARES * sides, np.float32)


def found(*boxes: Box, scores: Sequence[float] = ()) -> Detections:
    """Return faces with ordinary landmarks. By default the scores fall from 0.9."""
    places = np.array(boxes, np.float32).reshape(-1, 4)
    ranked = list(scores) or [0.9 - 0.01 * index for index in range(len(places))]
    return Detections(places, np.array(ranked, np.float32), landmarks_in(places))


def detection(box: Box, score: float = 0.9) -> Detection:
    """Return one face with ordinary landmarks."""
    return found(box, scores=[score]).to_list()[0]


def boxes_of(faces: Sequence[Detection]) -> list[Box]:
    """Return the boxes of detections."""
    return [face.box for face in faces]


class FakeDetector:
    """A fake detector that returns the same faces for each photo and records the photos' shapes."""

    def __init__(self, *faces: Detection) -> None:
        self.faces = list(faces)
        self.seen: list[tuple[int, ...]] = []

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        self.seen.append(pixels.shape)
        return self.faces


class BrightNetwork:
    """A fake network that detects the bright pixels of a view as one face and records the views."""

    def __init__(self, input_shape: tuple[int, int] | None = None, score: float = 0.9) -> None:
        self.input_shape = input_shape
        self.score = score
        self.views: list[Pixels] = []
        self.lowest_scores: list[float] = []

    def find(self, views: Pixels, lowest_score: float) -> list[Detections]:
        """See `Network.find`."""
        self.views.append(views)
        self.lowest_scores.append(lowest_score)
        return [self._find_in(view) for view in views]

    def _find_in(self, view: Pixels) -> Detections:
        rows, columns = np.nonzero(view[..., 0] > 127)
        if not rows.size:
            return found()
        box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return found(box, scores=[self.score])


def photo_with(box: tuple[int, int, int, int], height: int, width: int, level: int = 255) -> Pixels:
    """Return a black photo with one bright rectangle."""
    pixels = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = level
    return pixels
