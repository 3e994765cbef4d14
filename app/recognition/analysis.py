"""Photo bytes to faces with embeddings: decode, detect, align, embed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import overload

import numpy as np

from app.gallery.store.values import Collection
from app.observability.stages import stage
from app.types import Detection, Floats, Pixels
from app.vision.alignment import CROP_SIDE, align
from app.vision.detection.detections import Detector
from app.vision.detection.frames import FrameDetector
from app.vision.detection.main_face import count_rivals, most_prominent_first
from app.vision.embedding import Embedder
from app.vision.imaging.decode import Image, Limits, decode
from app.vision.imaging.portrait import portrait
from app.vision.liveness import LivenessEvidence, PresentationAttackDetector
from app.vision.quality import Measures, SignNetworks, measure

# A reduced JPEG keeps at least this many pixels on its longer side for each one that detection looks at.
_KEPT_PER_DETECTED = 1.5
_FACES_AT_ONCE = 16  # are aligned and embedded, so that memory does not grow with a crowd


@dataclass(frozen=True, slots=True)
class Face:
    """A face of a photo: what was detected (in pixels of the upright photo), unit vector (d,), raw feature norm.

    `crop` (112, 112, 3), RGB, is what was embedded; `portrait`, RGB, is for people to look at. `liveness` is None
    unless it was asked for.
    """

    detection: Detection
    vector: Floats
    norm: float
    measures: Measures
    crop: Pixels | None = None
    portrait: Pixels | None = None
    liveness: LivenessEvidence | None = None


@dataclass(frozen=True, slots=True)
class ProbeWork:
    """How probes are analysed: which `detector` finds their faces, and whether they are flip-averaged at all.

    Without `has_mirror`, a probe is one embedding, also where the templates of its collection are averages of two.
    `frames` is for frames of cameras; by default it works like `detector`.
    """

    detector: Detector
    has_mirror: bool
    frames: FrameDetector | None = None


@dataclass(frozen=True, slots=True)
class Assessors:
    """Assessors of faces: networks that see coverings and motion blur, and a detector of presentation attacks.

    Without `signs`, these components are not measured. `liveness` opens the detector when it is first needed.
    """

    signs: SignNetworks | None = None
    liveness: Callable[[], PresentationAttackDetector] | None = None


class AnalysedFaces(Sequence[Face]):
    """The analysed faces of a photo, most prominent first, and the number of `detected` faces.

    `rivals`: how many of them are nearly as prominent as the first (`count_rivals`).
    """

    def __init__(self, found: Sequence[Face], detected: int, rivals: int = 0) -> None:
        self._found = tuple(found)
        self.detected = detected
        self.rivals = rivals

    @overload
    def __getitem__(self, place: int) -> Face: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Face]: ...
    def __getitem__(self, place: int | slice) -> Face | Sequence[Face]:
        """Return a face, or a slice."""
        return self._found[place]

    def __len__(self) -> int:
        """Return the number of analysed faces."""
        return len(self._found)

    @property
    def is_truncated(self) -> bool:
        """Whether more faces were detected than analysed."""
        return self.detected > len(self._found)


class Analysis:
    """Turns photos into faces. Holds no state of a photo: safe under concurrent calls."""

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        *,
        limits: Limits,
        detection_side: int,
        model: str = "",
        most_faces: int = 100,
        assessors: Assessors | None = None,
        probes: ProbeWork | None = None,
    ) -> None:
        """Create the analysis.

        Args:
            detector: Finds faces.
            embedder: Embeds them.
            limits: Largest photo that is decoded.
            detection_side: Pixels of a photo's longer side at which faces are detected.
            model: Name of the embedding network.
            most_faces: Largest number of faces of a photo that are embedded.
            assessors: What assesses faces, besides measurements that need no network.
            probes: How probes are analysed; by default like enrolled photos.
        """
        self.model = model
        self._detector = detector
        self._probes = probes or ProbeWork(detector, has_mirror=True)
        self._embedder = embedder
        self._limits = limits
        self._assessors = assessors or Assessors()
        self.most_faces = most_faces
        self._enough = int(detection_side * _KEPT_PER_DETECTED)

    def analyse(
        self,
        data: bytes,
        *,
        is_flip_averaged: bool,
        is_probe: bool = False,
        most: int | None = None,
        has_portraits: bool = False,
        has_liveness: bool = False,
    ) -> AnalysedFaces:
        """Return the faces of a photo, the most prominent first; none is an ordinary result.

        Args:
            data: the photo's bytes.
            is_flip_averaged: see `Embedder.embed`.
            is_probe: whether the faces are searched or compared, not stored: then `probes` applies.
            most: how many faces are needed, if fewer than the analysis looks at.
            has_portraits: whether the faces get their `portrait`.
            has_liveness: whether the faces get their `liveness`.

        Raises a PhotoRefused (see `imaging.decode`) if the bytes are not a usable photo, CancelledError if the caller
        no longer waits, and NetworkError's children if the detector of presentation attacks cannot be opened.
        """
        with stage("decode"):
            image = decode(data, self._limits, enough=self._enough)
        detector = self._probes.detector if is_probe else self._detector
        with stage("detect"):
            detected = most_prominent_first(detector.detect(image.pixels), image.pixels.shape)
            rivals = count_rivals(detected, image.pixels.shape)
        detections = detected[: min(most or self.most_faces, self.most_faces)]
        image, detections = self._enlarged(data, image, detections)
        has_mirror = is_flip_averaged and (not is_probe or self._probes.has_mirror)
        found = self._faces(image, detections, is_flip_averaged=has_mirror)
        if has_portraits:
            shown = [portrait(image.pixels, each) for each in detections]
            found = [replace(face, portrait=each) for face, each in zip(found, shown, strict=True)]
        if has_liveness:
            evidence = self._evidence(image, detections)
            found = [replace(face, liveness=each) for face, each in zip(found, evidence, strict=True)]
        return AnalysedFaces(found, len(detected), rivals)

    @property
    def frames(self) -> FrameDetector:
        """The detector of frames."""
        return self._probes.frames or FrameDetector.of(self._probes.detector)

    def detect_in_frame(self, image: Image) -> list[Detection]:
        """Return the faces of a frame, best first, also those with a score below `frames.certain`."""
        with stage("detect"):
            return self.frames.finder.detect(image.pixels)

    def embed_in_frame(
        self, image: Image, detections: Sequence[Detection], *, is_flip_averaged: bool, has_liveness: bool = False
    ) -> list[Face]:
        """Return faces of a frame, embedded like probes, in the order of `detections`; raises the errors of `analyse`.

        The frame was not reduced.
        """
        with stage("detect"):
            marked = self.frames.place_landmarks(image.pixels, detections)
        found = self._faces(image, marked, is_flip_averaged=is_flip_averaged and self._probes.has_mirror)
        if not has_liveness:
            return found
        evidence = self._evidence(image, marked)
        return [replace(face, liveness=each) for face, each in zip(found, evidence, strict=True)]

    def of_crops(
        self, crops: Pixels, detections: Sequence[Detection], *, is_flip_averaged: bool, image: Image | None = None
    ) -> list[Face]:
        """Return the faces of aligned crops (n, 112, 112, 3), RGB, of what was detected: embedded as in `analyse`.

        Without the `image` that they are from, its compression and margins are not measured.
        """
        with stage("embed"):
            embeddings = self._embedder.embed(crops, is_flip_averaged=is_flip_averaged)
        with stage("assess"):
            signs = self._assessors.signs.components(crops) if self._assessors.signs is not None else [{}] * len(crops)
            measures = [
                measure(crop, each.landmarks, image=image, signs=of_crop)
                for crop, each, of_crop in zip(crops, detections, signs, strict=True)
            ]
        return [
            Face(detection, vector, float(norm), measured, crop)
            for detection, vector, norm, measured, crop in zip(
                detections, embeddings.vectors, embeddings.norms, measures, crops, strict=True
            )
        ]

    def _enlarged(self, data: bytes, image: Image, detections: list[Detection]) -> tuple[Image, list[Detection]]:
        """Return a reduced photo as large as its smallest face needs, with its faces."""
        smallest = min(map(_longer_side, detections), default=CROP_SIDE)
        if image.reduction <= 1 or smallest >= CROP_SIDE:
            return image, detections
        with stage("decode"):
            larger = decode(data, self._limits, enough=ceil(max(image.pixels.shape) * CROP_SIDE / smallest))
        return larger, [each.scaled(image.reduction / larger.reduction) for each in detections]

    def _evidence(self, image: Image, detections: Sequence[Detection]) -> Sequence[LivenessEvidence | None]:
        if self._assessors.liveness is None:
            return [None] * len(detections)
        with stage("liveness"):
            return self._assessors.liveness().evidence(image.pixels, detections)

    def _faces(self, image: Image, detections: list[Detection], *, is_flip_averaged: bool) -> list[Face]:
        faces: list[Face] = []
        for start in range(0, len(detections), _FACES_AT_ONCE):
            part = detections[start : start + _FACES_AT_ONCE]
            with stage("align"):
                crops = align(image.pixels, np.array([each.landmarks for each in part], np.float32))
            found = [each.scaled(image.reduction) for each in part]
            faces += self.of_crops(crops, found, is_flip_averaged=is_flip_averaged, image=image)
        return faces


AnalysisOf = Callable[[Collection], Analysis]
"""Returns the analysis of a collection, with its own network and detector."""


def _longer_side(detection: Detection) -> float:
    left, top, right, bottom = detection.box
    return max(right - left, bottom - top)
