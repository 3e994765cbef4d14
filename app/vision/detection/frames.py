"""Detection in frames of a camera: all faces at little cost, then precise landmarks for chosen ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.types import Detection, Effort, Pixels
from app.vision.detection.detections import Detector

PlaceLandmarks = Callable[[Pixels, Sequence[Detection]], list[Detection]]
"""Returns the same faces of a frame (height, width, 3), RGB, with better landmarks."""

UNCERTAIN_SHARE = 0.5
"""Share of the minimum score of photos from which a face of a frame is reported (ByteTrack's low-score detections)."""


@dataclass(frozen=True, slots=True)
class FrameDetector:
    """Detector of frames. A face with a score below `certain` may continue a track, but not start one.

    `finder` finds all faces, and `place_landmarks` is for the faces that are embedded.
    """

    finder: Detector
    place_landmarks: PlaceLandmarks
    certain: float = 0.0

    @classmethod
    def of(cls, detector: Detector) -> "FrameDetector":
        """Return a detector of frames that works as for photos."""
        return cls(detector, lambda _, faces: list(faces))


@dataclass(frozen=True, slots=True)
class DetectorSet:
    """Detectors that share their networks: for photos by effort, and for frames."""

    photos: Mapping[Effort, Detector]
    frames: FrameDetector
