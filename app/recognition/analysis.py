"""Photo bytes to faces with embeddings: decode, detect, align, embed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.alignment import CROP_SIDE, align
from app.detection.found import Detector
from app.embedding import Embedder
from app.faces import Detection, Floats, Pixels
from app.identities.values import Collection
from app.imaging.decode import Image, Limits, decode
from app.observability.stages import stage
from app.quality import Measures, measure
from app.recognition.prominence import most_prominent_first

# A reduced JPEG keeps at least this many pixels on its longer side for each one that detection looks at.
_KEPT_PER_DETECTED = 1.5


@dataclass(frozen=True, slots=True)
class Face:
    """A face of a photo: what was detected (in pixels of the upright photo), unit vector (d,), raw feature norm.

    `crop` (112, 112, 3), RGB, is what was embedded.
    """

    detection: Detection
    vector: Floats
    norm: float
    measures: Measures
    crop: Pixels | None = None


class Analysis:
    """Turns photos into faces. Holds no state of a photo: safe under concurrent calls."""

    def __init__(
        self, detector: Detector, embedder: Embedder, *, limits: Limits, detection_side: int, model: str = ""
    ) -> None:
        """Take the networks, of which `model` names the one that embeds."""
        self.model = model
        self._detector = detector
        self._embedder = embedder
        self._limits = limits
        self._enough = int(detection_side * _KEPT_PER_DETECTED)

    def analyse(self, data: bytes, *, is_flip_averaged: bool) -> list[Face]:
        """Return every face of a photo, the most prominent first; none is an ordinary result.

        `is_flip_averaged`: see `Embedder.embed`.

        Raises a PhotoRefused (see `app.imaging.decode`) for bytes that are no usable photo.
        """
        with stage("decode"):
            image = decode(data, self._limits, enough=self._enough)
        with stage("detect"):
            detections = most_prominent_first(self._detector.detect(image.pixels), image.pixels.shape)
        if image.reduction > 1 and any(_longer_side(each) < CROP_SIDE for each in detections):
            with stage("decode"):
                detections = [each.scaled(image.reduction) for each in detections]
                image = decode(data, self._limits)
        return self._faces(image, detections, is_flip_averaged=is_flip_averaged)

    def of_crops(self, crops: Pixels, detections: Sequence[Detection], *, is_flip_averaged: bool) -> list[Face]:
        """Return the faces of aligned crops (n, 112, 112, 3), RGB, of what was detected: embedded as in `analyse`."""
        with stage("embed"):
            embeddings = self._embedder.embed(crops, is_flip_averaged=is_flip_averaged)
        with stage("assess"):
            measures = [measure(crop, each.landmarks) for crop, each in zip(crops, detections, strict=True)]
        return [
            Face(detection, vector, float(norm), measured, crop)
            for detection, vector, norm, measured, crop in zip(
                detections, embeddings.vectors, embeddings.norms, measures, crops, strict=True
            )
        ]

    def _faces(self, image: Image, detections: list[Detection], *, is_flip_averaged: bool) -> list[Face]:
        landmarks = np.array([each.landmarks for each in detections], np.float32).reshape(-1, 5, 2)
        with stage("align"):
            crops = align(image.pixels, landmarks)
        found = [detection.scaled(image.reduction) for detection in detections]
        return self.of_crops(crops, found, is_flip_averaged=is_flip_averaged)


AnalysisOf = Callable[[Collection], Analysis]
"""What analyses photos for a collection: by its own network and detector."""


def _longer_side(detection: Detection) -> float:
    left, top, right, bottom = detection.box
    return max(right - left, bottom - top)
