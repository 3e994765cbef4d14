"""Examination: what can be seen in a photo, without any gallery."""

from collections.abc import Callable
from dataclasses import dataclass

from app.quality import Quality, judge
from app.recognition.analysis import Analysis, Face
from app.recognition.calibration import Calibration


@dataclass(frozen=True, slots=True)
class ExaminedFace:
    """A face of a photo and how usable it is."""

    face: Face
    quality: Quality


@dataclass(frozen=True, slots=True)
class Examination:
    """Every face of a photo, the most prominent first; `is_flip_averaged` tells how their embeddings were made."""

    faces: list[ExaminedFace]
    is_flip_averaged: bool


class ExaminationService:
    """See `examine`."""

    def __init__(
        self, analysis: Analysis, calibration_for: Callable[[bool], Calibration | None], *, is_flip_averaged: bool
    ) -> None:
        """Take the calibration of the network in use with or without flip averaging, and which of them is usual."""
        self._analysis = analysis
        self._calibration_for = calibration_for
        self._is_flip_averaged = is_flip_averaged

    def examine(self, photo: bytes, *, is_flip_averaged: bool | None = None) -> Examination:
        """Find every face of a photo; no face gives no entry. Raises a PhotoRefused for bytes that are no photo.

        The quality is the one that an enrolment would find, for which the face is embedded.
        """
        is_flipped = self._is_flip_averaged if is_flip_averaged is None else is_flip_averaged
        calibration = self._calibration_for(is_flipped)
        typical_norm = calibration.typical_norm if calibration is not None else None
        faces = self._analysis.analyse(photo, is_flip_averaged=is_flipped)
        return Examination(
            [ExaminedFace(face, judge(face.measures, face.norm, typical_norm)) for face in faces], is_flipped
        )
