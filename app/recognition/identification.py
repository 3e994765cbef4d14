"""Identification (1:N): who are the people in this photo?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import ModelMismatch, RequestInvalid
from app.faces import Candidate, Floats
from app.identities.restriction import Where
from app.identities.values import Collection, Keys
from app.quality import Quality
from app.recognition.analysis import AnalysisOf, Face
from app.recognition.calibration import comparisons_among
from app.recognition.gallery import Gallery
from app.recognition.matching import decided, margin
from app.recognition.policy import Outcome, Policy, PolicyOf
from app.recognition.switching import again_if_switched


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
    """Every face of the photo, the most prominent first, the threshold that decided, and the network."""

    faces: list[IdentifiedFace]
    threshold: float
    model: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What an embedding resembles: candidates (best first) with their rates, and the verdict on the first of them."""

    verdict: Outcome
    candidates: list[Candidate]
    rates: list[Rates]
    margin: float | None
    threshold: float
    model: str = ""


@dataclass(frozen=True, slots=True)
class _Searched:
    """What is searched: everything, or `among` these keys; and how many comparisons that is worth."""

    among: Keys | None
    comparisons: float


class IdentificationService:
    """See `identify` and `search`."""

    def __init__(self, analysis_of: AnalysisOf, gallery: Gallery, policy_of: PolicyOf) -> None:
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._policy_of = policy_of

    @again_if_switched
    def identify(
        self,
        photo: bytes,
        *,
        collection: str,
        top_k: int,
        max_fpir: float | None = None,
        threshold: float | None = None,
        where: Where | None = None,
    ) -> Identification:
        """Identify every face of a photo among all people or those of whom `where` holds; no face gives no entry.

        Raises CollectionUnknown, ModelMismatch, CalibrationMissing, or a PhotoRefused for bytes that are no photo.
        """
        target = self._gallery.require(collection)
        policy = self._policy_of(target)
        searched = self._searched(target, where)
        rule = policy.for_identification(searched.comparisons, max_fpir=max_fpir, threshold=threshold)
        faces = self._analysis_of(target).analyse(photo, is_flip_averaged=target.practice.is_flip_averaged)
        if not faces:
            return Identification([], rule.threshold, target.model)
        qualities = [policy.quality(face) for face in faces]
        is_poor = [policy.is_poor(quality) for quality in qualities]
        vectors = np.stack([face.vector for face in faces])
        candidates = self._gallery.search(target, vectors, max(top_k, 2), among=searched.among)
        verdicts = decided(candidates, is_poor, rule)
        identified = [
            IdentifiedFace(
                face,
                quality,
                poor,
                verdict,
                found[:top_k],
                _rates(policy, found[:top_k], searched.comparisons),
                margin(found),
            )
            for face, quality, poor, verdict, found in zip(faces, qualities, is_poor, verdicts, candidates, strict=True)
        ]
        return Identification(identified, rule.threshold, target.model)

    @again_if_switched
    def search(
        self,
        embedding: NDArray[np.float64],
        *,
        collection: str,
        model: str | None = None,
        top_k: int,
        max_fpir: float | None = None,
        threshold: float | None = None,
        where: Where | None = None,
    ) -> Found:
        """Look up an embedding (d,) of any length but 0, as `identify` does; nothing is known of its quality.

        Raises CollectionUnknown, ModelMismatch (also for an embedding by a `model` that is not the collection's),
        CalibrationMissing, and RequestInvalid for one of another dimension, or that is no direction.
        """
        target = self._gallery.require(collection)
        if model is not None and model != target.model:
            raise ModelMismatch(
                f"collection {collection!r} is of {target.model}; embeddings by {model} cannot be compared with it: "
                "embed the photo with that network"
            )
        probe = unit(embedding, target.dimension)
        policy = self._policy_of(target)
        searched = self._searched(target, where)
        rule = policy.for_identification(searched.comparisons, max_fpir=max_fpir, threshold=threshold)
        (found,) = self._gallery.search(target, probe[None], max(top_k, 2), among=searched.among)
        (verdict,) = decided([found], [False], rule)
        rates = _rates(policy, found[:top_k], searched.comparisons)
        return Found(verdict, found[:top_k], rates, margin(found), rule.threshold, target.model)

    def _searched(self, collection: Collection, where: Where | None) -> _Searched:
        if not where:
            return _Searched(None, comparisons_among(collection.identities, collection.faces))
        part = self._gallery.restricted(collection, where)
        return _Searched(part.keys, comparisons_among(part.identities, len(part.keys)))


def unit(embedding: NDArray[np.float64], dimension: int) -> Floats:
    """Return an embedding (d,) with length 1; raises RequestInvalid for another dimension, or if it is no direction."""
    problem = None
    if embedding.shape != (dimension,):
        problem = f"has {embedding.size} numbers; the collection's have {dimension}"
    elif not np.isfinite(embedding).all():
        problem = "has numbers that are not finite"
    elif not embedding.any():
        problem = "is zero and has no direction"
    if problem is not None:
        detail = f"the embedding {problem}"
        raise RequestInvalid(detail, [{"field": "embedding", "detail": detail}])
    scaled = embedding / np.abs(embedding).max()  # whose squares neither vanish nor overflow
    return np.asarray(scaled / np.linalg.norm(scaled), np.float32)


def _rates(policy: Policy, candidates: list[Candidate], comparisons: float) -> list[Rates]:
    return [
        Rates(policy.fmr(each.similarity, each.faces), policy.fpir(each.similarity, comparisons)) for each in candidates
    ]
