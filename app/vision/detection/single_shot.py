"""A single-shot network as a detector: views of the photo in, merged faces in the photo's pixels out."""

from dataclasses import dataclass

import numpy as np

from app.types import Detection, Pixels
from app.vision.detection.boxes import area_of, nms, overlaps
from app.vision.detection.found import Found, Network, concatenate
from app.vision.detection.views import View, fitted, surrounded

# The second look, for faces that fill the frame: the whole photo small, in the middle of black. Of close-ups cut to
# 60-100 % of the face it finds all, the ordinary view of YuNet 16-100 % (benchmarks/close_ups.py).
CLOSE_UP_SIDE = 96
SURROUNDED_SIDE = 192

# What an ordinary view finds inside a close-up face, this much smaller, are parts of it taken for faces: an eye, half a
# face. Of 46 LFW faces cut tightly and enlarged to 1000 pixels, YuNet found 46 as one face; with 3 instead, 9.
_SMALLER = 1.5
_INSIDE = 0.7


@dataclass(frozen=True, slots=True)
class Options:
    """`lowest_score` 0..1 of a face; photos are shrunk to `longest_side`; boxes overlapping more are one face.

    `input_shape` (height, width) is for networks of a fixed input size.
    """

    lowest_score: float = 0.6
    longest_side: int = 1280
    overlap: float = 0.4
    input_shape: tuple[int, int] | None = None


class SingleShotDetector:
    """See `Detector`."""

    def __init__(self, network: Network, options: Options = Options()) -> None:
        self._network = network
        self._options = options

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        options = self._options
        whole = self._look(fitted(pixels, options.longest_side, options.input_shape))
        close = self._look(surrounded(pixels, CLOSE_UP_SIDE, options.input_shape or (SURROUNDED_SIDE, SURROUNDED_SIDE)))
        return merged(whole, close, options.overlap).detections()

    def _look(self, view: View) -> Found:
        found = view.to_photo(self._network.find(view.pixels[None], self._options.lowest_score)[0])
        return found.take(nms(found.boxes, found.scores, self._options.overlap))


def merged(whole: Found, close: Found, overlap: float) -> Found:
    """Join what the ordinary view and the close-up view found, best first; where both found a face, `whole` has it."""
    is_part = np.zeros(len(whole.scores), bool)
    for box in close.boxes:
        is_inside = overlaps(box, whole.boxes, "min") > _INSIDE
        is_part |= is_inside & (area_of(whole.boxes) * _SMALLER < area_of(box))
    whole = whole.take(~is_part)
    is_missed = np.array([not (overlaps(box, whole.boxes) > overlap).any() for box in close.boxes], bool)
    both = concatenate([whole, close.take(is_missed)])
    return both.take(np.argsort(-both.scores, kind="stable"))
