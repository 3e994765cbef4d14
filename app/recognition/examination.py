"""Examination: what can be seen in a photo, without any gallery."""

from collections.abc import Collection
from dataclasses import dataclass

from app.recognition.analysis import Face
from app.recognition.attributes import AttributeService
from app.recognition.liveness.decisions import LivenessDecision
from app.recognition.liveness.gate import AS_SET, LivenessGate, LivenessRequest
from app.recognition.model_registry import ModelRegistry
from app.statistics.counts import Operation
from app.types import Attribute
from app.vision.attributes import FaceAttributes
from app.vision.quality import Quality, judge


@dataclass(frozen=True, slots=True)
class ExaminedFace:
    """A face of a photo and how usable it is.

    `liveness` is the decision on its liveness, and `attributes` its attributes; None if they were not asked for.
    """

    face: Face
    quality: Quality
    liveness: LivenessDecision | None = None
    attributes: FaceAttributes | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """Every face of a photo, the most prominent first; `is_flip_averaged`: whether their embeddings are flip-averaged.

    They are of length `dimension` and by the network `model`.
    """

    faces: list[ExaminedFace]
    is_flip_averaged: bool
    model: str
    dimension: int
    is_truncated: bool = False


class ExaminationService:
    """See `examine`."""

    def __init__(
        self,
        registry: ModelRegistry,
        attributes: AttributeService,
        *,
        is_flip_averaged: bool,
        gate: LivenessGate | None = None,
    ) -> None:
        """Take the networks, what describes faces, and whether embeddings are usually flip-averaged."""
        self._registry = registry
        self._attributes = attributes
        self._gate = gate or LivenessGate()
        self._is_flip_averaged = is_flip_averaged

    def examine(
        self,
        photo: bytes,
        *,
        is_flip_averaged: bool | None = None,
        model: str | None = None,
        liveness: LivenessRequest = AS_SET,
        attributes: Collection[Attribute] = (),
    ) -> Examination:
        """Find every face of a photo; no face gives no entry. `model` is a network's model or pack.

        The quality is the one that an enrollment would find, for which the face is embedded. Raises a PhotoRefused for
        bytes that are not a photo, RequestInvalid if the network is not served, LivenessUnavailable, and as
        `AttributeService.describe`.
        """
        self._attributes.require_allowed(attributes)
        check = self._gate.check(None, Operation.DETECT, liveness)
        network = self._registry.named(model)
        is_flipped = self._is_flip_averaged if is_flip_averaged is None else is_flip_averaged
        calibration = self._registry.calibrations(network).shipped(is_flip_averaged=is_flipped)
        typical_norm = calibration.typical_norm if calibration is not None else None
        faces = self._registry.analysis(network).analyse(photo, is_flip_averaged=is_flipped, has_liveness=check.is_on)
        described = self._attributes.describe(faces, attributes) if attributes else [None] * len(faces)
        examined = [
            ExaminedFace(face, judge(face.measures, face.norm, typical_norm), check.decide(face), its)
            for face, its in zip(faces, described, strict=True)
        ]
        return Examination(examined, is_flipped, network.model, network.dimension, faces.is_truncated)
