"""Identification (1:N): who are the people in this photo?"""

from dataclasses import dataclass

import numpy as np

from app.faces import Candidate
from app.recognition.analysis import Analysis, Face
from app.recognition.gallery import Gallery
from app.recognition.matching import decided, margin
from app.recognition.policy import Outcome, Policy, PolicyOf


@dataclass(frozen=True, slots=True)
class Rates:
    """How often strangers are as similar as a candidate: one pair (`fmr`), one stranger in this gallery (`fpir`).

    None where the network is not calibrated.
    """

    fmr: float | None
    fpir: float | None


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """A face of the photo, its candidates (best first) with their error rates, and the verdict on the first of them.

    `margin` is how much more similar the first candidate is than the second.
    """

    face: Face
    verdict: Outcome
    candidates: list[Candidate]
    rates: list[Rates]
    margin: float | None


@dataclass(frozen=True, slots=True)
class Identification:
    """Every face of the photo, the most prominent first, and the threshold that decided."""

    faces: list[IdentifiedFace]
    threshold: float


class IdentificationService:
    """See `identify`."""

    def __init__(self, analysis: Analysis, gallery: Gallery, policy_of: PolicyOf) -> None:
        self._analysis = analysis
        self._gallery = gallery
        self._policy_of = policy_of

    def identify(
        self,
        photo: bytes,
        *,
        collection: str,
        top_k: int,
        max_fpir: float | None = None,
        threshold: float | None = None,
    ) -> Identification:
        """Identify every face of a photo; no face gives no entry.

        Raises CollectionUnknown, ModelMismatch, CalibrationMissing, or a PhotoRefused for bytes that are no photo.
        """
        target = self._gallery.require(collection)
        policy = self._policy_of(collection)
        enrolled = self._gallery.face_count(target)
        rule = policy.for_identification(enrolled, max_fpir=max_fpir, threshold=threshold)
        faces = self._analysis.analyse(photo)
        if not faces:
            return Identification([], rule.threshold)
        candidates = self._gallery.search(target, np.stack([face.vector for face in faces]), max(top_k, 2))
        identified = [
            IdentifiedFace(face, outcome, found[:top_k], _rates(policy, found[:top_k], enrolled), margin(found))
            for face, outcome, found in zip(faces, decided(candidates, rule), candidates, strict=True)
        ]
        return Identification(identified, rule.threshold)


def _rates(policy: Policy, candidates: list[Candidate], enrolled: int) -> list[Rates]:
    return [Rates(policy.fmr(each.similarity), policy.fpir(each.similarity, enrolled)) for each in candidates]
