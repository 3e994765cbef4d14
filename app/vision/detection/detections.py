"""Detections of one view of a photo as arrays, and the interfaces of networks and detectors."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.types import Detection, Floats, Pixels


@dataclass(frozen=True, slots=True)
class Detections:
    """n faces in pixels of the view: `boxes` (n, 4) xyxy, `scores` (n,) in 0..1, `landmarks` (n, 5, 2)."""

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def take(self, kept: np.typing.NDArray[np.intp] | np.typing.NDArray[np.bool_]) -> "Detections":
        """Return the faces at the given indices (or where the mask is true)."""
        return Detections(self.boxes[kept], self.scores[kept], self.landmarks[kept])

    def moved(self, scale: float, offset: tuple[float, float] = (0, 0)) -> "Detections":
        """Return the same faces in other coordinates: x -> x * scale + offset."""
        shift = np.asarray(offset, np.float32)
        factor = np.float32(scale)
        return Detections(self.boxes * factor + np.tile(shift, 2), self.scores, self.landmarks * factor + shift)

    def to_list(self) -> list[Detection]:
        """Return the faces as single detections, in the same order."""
        rows = zip(self.boxes.tolist(), self.scores.tolist(), self.landmarks, strict=True)
        return [Detection((box[0], box[1], box[2], box[3]), score, landmarks) for box, score, landmarks in rows]


def concatenate(parts: list[Detections]) -> Detections:
    """Join the detections of one or more views."""
    return Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )


def bgr_planes(views: Pixels) -> Floats:
    """Return views (n, height, width, 3), RGB, as a network's input (n, 3, height, width), BGR, 0..255."""
    return np.ascontiguousarray(views[..., ::-1].transpose(0, 3, 1, 2)).astype(np.float32)  # the copy as bytes is cheap


class Network(Protocol):
    """A single-shot detection network."""

    @property
    def input_shape(self) -> tuple[int, int] | None:
        """The only input size (height, width), or None if any multiples of 32 will do."""

    def find(self, views: Pixels, lowest_score: float) -> list[Detections]:
        """Return the faces of each view (n, height, width, 3), RGB uint8, with sides that are multiples of 32."""


class Detector(Protocol):
    """A face detector."""

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Return the faces of a photo (height, width, 3), RGB uint8, best first, in its pixels; [] without faces."""
