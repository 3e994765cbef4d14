"""Identification (1:N): who are the people in this photo?"""

from dataclasses import dataclass

import numpy as np

from app.faces import Candidate
from app.quality import Quality
from app.recognition.analysis import Analysis, Face
from app.recognition.calibration import comparisons_among
from app.recognition.gallery import Gallery
from app.recognition.matching import decided, margin
from app.recognition.policy import Outcome, Policy, PolicyOf


@dataclass(frozen=True, slots=True)
class Rates:
    """How often strangers are as similar: to this candidate (`fmr`), to anyone in this gallery (`fpir`).

    None where the network is not calibrated.
    """

    fmr: float | None
    fpir: float | None


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """A face of the photo, its candidates (best first) with their error rates, and the verdict on the first of them.

    `margin` is how much more similar the first candidate is than the second; `is_poor` says that the face is below the
    collection's least quality.
    """

    face: Face
    quality: Quality
    is_poor: bool
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
        policy = self._policy_of(target)
        comparisons = comparisons_among(target.identities, target.faces)
        rule = policy.for_identification(comparisons, max_fpir=max_fpir, threshold=threshold)
        faces = self._analysis.analyse(photo, is_flip_averaged=target.practice.is_flip_averaged)
        if not faces:
            return Identification([], rule.threshold)
        qualities = [policy.quality(face) for face in faces]
        is_poor = [policy.is_poor(quality) for quality in qualities]
        candidates = self._gallery.search(target, np.stack([face.vector for face in faces]), max(top_k, 2))
        verdicts = decided(candidates, is_poor, rule)
        identified = [
            IdentifiedFace(
                face, quality, poor, verdict, found[:top_k], _rates(policy, found[:top_k], comparisons), margin(found)
            )
            for face, quality, poor, verdict, found in zip(faces, qualities, is_poor, verdicts, candidates, strict=True)
        ]
        return Identification(identified, rule.threshold)


def _rates(policy: Policy, candidates: list[Candidate], comparisons: float) -> list[Rates]:
    return [
        Rates(policy.fmr(each.similarity, each.faces), policy.fpir(each.similarity, comparisons)) for each in candidates
    ]
