"""What a detection network finds in one view of a photo, before views are merged."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.types import Detection, Floats, Pixels


@dataclass(frozen=True, slots=True)
class Found:
    """n faces: `boxes` (n, 4) xyxy, `scores` (n,) in 0..1, `landmarks` (n, 5, 2), in pixels of the view."""

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def take(self, kept: np.typing.NDArray[np.intp] | np.typing.NDArray[np.bool_]) -> "Found":
        """Return the faces at the given indices (or where the mask is true)."""
        return Found(self.boxes[kept], self.scores[kept], self.landmarks[kept])

    def moved(self, scale: float, offset: tuple[float, float] = (0, 0)) -> "Found":
        """Return the same faces with x -> x * scale + offset."""
        shift = np.asarray(offset, np.float32)
        factor = np.float32(scale)
        return Found(self.boxes * factor + np.tile(shift, 2), self.scores, self.landmarks * factor + shift)

    def detections(self) -> list[Detection]:
        """Return the faces one by one, in the same order."""
        rows = zip(self.boxes.tolist(), self.scores.tolist(), self.landmarks, strict=True)
        return [Detection((box[0], box[1], box[2], box[3]), score, landmarks) for box, score, landmarks in rows]


def concatenate(parts: list[Found]) -> Found:
    """Join what several views found (at least one view)."""
    return Found(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )


class Network(Protocol):
    """A single-shot detection network."""

    @property
    def input_shape(self) -> tuple[int, int] | None:
        """The only (height, width) that the network takes, None for any that 32 divides."""

    def find(self, views: Pixels, lowest_score: float) -> list[Found]:
        """Find faces in views (n, height, width, 3), RGB uint8, sides multiples of 32; one Found for each view."""


class Detector(Protocol):
    """Photo in, faces out."""

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Find the faces of a photo (height, width, 3), RGB uint8; best first, in its pixels; none gives []."""
