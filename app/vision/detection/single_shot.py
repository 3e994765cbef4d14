"""Detector with one single-shot network: two views of the photo, whose faces are merged."""

from dataclasses import dataclass

import numpy as np

from app.types import Detection, Pixels
from app.vision.detection.boxes import area_of, nms, overlaps
from app.vision.detection.detections import Detections, Network, concatenate
from app.vision.detection.evidence import ENOUGH, strongest
from app.vision.detection.views import PhotoView, fitted, surrounded

# The close-up view, for faces that fill the frame: the whole photo, small, with a black border. It finds all close-ups
# cut to 60-100 % of the face; YuNet's ordinary view finds 16-100 % (benchmarks/close_ups.py).
# A wider border finds no more.
CLOSE_UP_SIDE = 96
SURROUNDED_SIDE = 128

# A face that the ordinary view finds inside a close-up face and that is this many times smaller is a false one: an eye,
# half a face. Of 46 tightly cut LFW faces enlarged to 1000 pixels, YuNet found all 46 as one face; with 3 instead, 9.
_SMALLER = 1.5
_INSIDE = 0.7


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a detector.

    `lowest_score`: of a face, 0..1. `longest_side`: larger photos are shrunk to it. `overlap`: boxes that overlap more
    are one face. `input_shape`: (height, width) of a network with a fixed input size. `is_sparing`: the close-up view
    is looked at only if the ordinary one shows no convincing face.
    """

    lowest_score: float = 0.6
    longest_side: int = 1280
    overlap: float = 0.4
    input_shape: tuple[int, int] | None = None
    is_sparing: bool = False


class SingleShotDetector:
    """See `Detector`."""

    def __init__(self, network: Network, options: Options = Options()) -> None:
        self._network = network
        self._options = options

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        options = self._options
        whole = self._look(fitted(pixels, options.longest_side, options.input_shape))
        if options.is_sparing and strongest(whole.to_list()) >= ENOUGH:
            return whole.to_list()
        close = self._look(surrounded(pixels, CLOSE_UP_SIDE, options.input_shape or (SURROUNDED_SIDE, SURROUNDED_SIDE)))
        return merged(whole, close, options.overlap).to_list()

    def _look(self, view: PhotoView) -> Detections:
        detections = view.to_photo(self._network.find(view.pixels[None], self._options.lowest_score)[0])
        return detections.take(nms(detections.boxes, detections.scores, self._options.overlap))


def merged(whole: Detections, close: Detections, overlap: float) -> Detections:
    """Return the faces of the ordinary and the close-up view, best first; a face in both is that of `whole`."""
    is_part = np.zeros(len(whole.scores), bool)
    for box in close.boxes:
        is_inside = overlaps(box, whole.boxes, "min") > _INSIDE
        is_part |= is_inside & (area_of(whole.boxes) * _SMALLER < area_of(box))
    whole = whole.take(~is_part)
    is_missed = np.array([not (overlaps(box, whole.boxes) > overlap).any() for box in close.boxes], bool)
    both = concatenate([whole, close.take(is_missed)])
    return both.take(np.argsort(-both.scores, kind="stable"))
