"""Examination: what can be seen in a photo, without any gallery."""

from dataclasses import dataclass

from app.recognition.analysis import Face
from app.recognition.model_registry import ModelRegistry
from app.vision.quality import Quality, judge


@dataclass(frozen=True, slots=True)
class ExaminedFace:
    """A face of a photo and how usable it is."""

    face: Face
    quality: Quality


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

    def __init__(self, registry: ModelRegistry, *, is_flip_averaged: bool) -> None:
        """Take the networks, and whether embeddings are usually flip-averaged."""
        self._registry = registry
        self._is_flip_averaged = is_flip_averaged

    def examine(self, photo: bytes, *, is_flip_averaged: bool | None = None, model: str | None = None) -> Examination:
        """Find every face of a photo; no face gives no entry. `model` is a network's model or pack.

        The quality is the one that an enrollment would find, for which the face is embedded. Raises a PhotoRefused for
        bytes that are not a photo, and RequestInvalid if the network is not served.
        """
        network = self._registry.named(model)
        is_flipped = self._is_flip_averaged if is_flip_averaged is None else is_flip_averaged
        calibration = self._registry.calibrations(network).shipped(is_flip_averaged=is_flipped)
        typical_norm = calibration.typical_norm if calibration is not None else None
        faces = self._registry.analysis(network).analyse(photo, is_flip_averaged=is_flipped)
        examined = [ExaminedFace(face, judge(face.measures, face.norm, typical_norm)) for face in faces]
        return Examination(examined, is_flipped, network.model, network.dimension, faces.is_truncated)
