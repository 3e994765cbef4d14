"""Identification (1:N): who are the people in this photo?"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from app.faces import Candidate
from app.recognition.analysis import Analysis, Face
from app.recognition.gallery import Gallery
from app.recognition.matching import matched


class Verdict(StrEnum):
    """The outcome for one face: its first candidate is a match, or nobody enrolled is."""

    MATCH = "match"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """A face of the photo, its candidates (best first) and the verdict on the first of them."""

    face: Face
    verdict: Verdict
    candidates: list[Candidate]


@dataclass(frozen=True, slots=True)
class Identification:
    """Every face of the photo, the most prominent first, and the threshold that decided."""

    faces: list[IdentifiedFace]
    threshold: float


class IdentificationService:
    """See `identify`."""

    def __init__(self, analysis: Analysis, gallery: Gallery, *, threshold: float) -> None:
        self._analysis = analysis
        self._gallery = gallery
        self._threshold = threshold

    def identify(self, photo: bytes, *, collection: str, top_k: int) -> Identification:
        """Identify every face of a photo; no face gives no entry.

        Raises CollectionUnknown, ModelMismatch, or a PhotoRefused for bytes that are no usable photo.
        """
        target = self._gallery.require(collection)
        faces = self._analysis.analyse(photo)
        if not faces:
            return Identification([], self._threshold)
        candidates = self._gallery.search(target, np.stack([face.vector for face in faces]), top_k)
        verdicts = matched(candidates, self._threshold)
        identified = [
            IdentifiedFace(face, Verdict.MATCH if is_match else Verdict.UNKNOWN, found)
            for face, is_match, found in zip(faces, verdicts, candidates, strict=True)
        ]
        return Identification(identified, self._threshold)
