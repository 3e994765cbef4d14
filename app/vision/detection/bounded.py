"""Any detector, on a bounded photo: its work no longer grows with the photo's size."""

from app.types import Detection, Pixels
from app.vision.detection.found import Detector
from app.vision.detection.views import fitted


class Bounded:
    """See `Detector`. Photos are shrunk until their longer side is `longest_side`; smaller ones stay as they are."""

    def __init__(self, detector: Detector, longest_side: int) -> None:
        self._detector = detector
        self._longest_side = longest_side

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        view = fitted(pixels, self._longest_side, grid=1)
        return [each.scaled(1 / view.scale) for each in self._detector.detect(view.pixels)]
