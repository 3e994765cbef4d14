"""Comparison of faces without a decision: CompreFace's clients apply their own threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.compreface.similarity_score import SimilarityScale
from app.errors import NoFace, SeveralFaces
from app.gallery.gallery import Gallery
from app.gallery.store.listing import ListingRepository
from app.gallery.store.values import Collection
from app.recognition.analysis import AnalysedFaces, AnalysisOf, Face
from app.recognition.decisions.policy import Policy, PolicyOf
from app.recognition.decisions.scoring import Scoring, similarity_of
from app.recognition.decisions.similarity_view import SimilarityView
from app.recognition.identification import Identification, IdentificationService
from app.recognition.liveness.decisions import LivenessDecision
from app.recognition.liveness.gate import LivenessGate
from app.recognition.probe_embedding import unit
from app.statistics.counts import Operation
from app.types import Candidate, Floats


@dataclass(frozen=True, slots=True)
class FaceSelection:
    """Selection of faces of a photo: the `most` largest with a detection score of at least `least_score`.

    With `most` 0 there is no limit.
    """

    least_score: float = 0
    most: int = 0

    def places(self, faces: Sequence[Face]) -> list[int]:
        """Return the places of the selected faces in `faces`, the largest first; raises NoFace without any."""
        clear = [place for place, face in enumerate(faces) if face.detection.score >= self.least_score]
        if not clear:
            raise NoFace
        return sorted(clear, key=lambda place: _area(faces[place]), reverse=True)[: self.most or None]

    def sole(self, faces: AnalysedFaces) -> Face:
        """Return the only selected face of a photo, or its main face among smaller ones.

        Raises NoFace without a selected face, and SeveralFaces if several are selected and another face is nearly as
        prominent as the main one, or the main one is not selected.
        """
        places = self.places(faces)
        if len(places) == 1:
            return faces[places[0]]
        if faces.rivals or 0 not in places:
            raise SeveralFaces(f"the photo shows {faces.detected} faces, and it is not clear which is meant; crop it")
        return faces[0]


@dataclass(frozen=True, slots=True)
class ScoredIdentity:
    """An identity and the similarity score (0..1) of a probe to it."""

    identity_id: str
    score: float


@dataclass(frozen=True, slots=True)
class SelectedFace:
    """A face of a photo, and the decision on its liveness, if that was checked."""

    face: Face
    liveness: LivenessDecision | None = None


@dataclass(frozen=True, slots=True)
class RecognisedFace:
    """A face of a photo and the most similar identities, best first; none if it must be live and is not."""

    face: Face
    people: list[ScoredIdentity]
    liveness: LivenessDecision | None = None


@dataclass(frozen=True, slots=True)
class Recognition:
    """The selected faces, the largest first; `identification` covers all faces of the photo."""

    faces: list[RecognisedFace]
    identification: Identification


@dataclass(frozen=True, slots=True)
class ComparedFace:
    """A face of a photo and its similarity score (0..1) to the reference; 0 as in `RecognisedFace`."""

    face: Face
    score: float
    liveness: LivenessDecision | None = None


@dataclass(frozen=True, slots=True)
class _ScoreView:
    """Similarity scores as the caller may see them."""

    scale: SimilarityScale
    view: SimilarityView
    scoring: Scoring

    def of_faces(self, one: Face, other: Face) -> float:
        """Return the score (0..1) of two faces; 0 if the caller may not see it."""
        return self.score(self.scoring.vector(one.vector, one.norm), self.scoring.vector(other.vector, other.norm))

    def of_embeddings(self, one: Floats, other: Floats) -> float:
        """Return the score (0..1) of two unit embeddings (d,); see `of_faces`."""
        return self.score(self.scoring.vector(one), self.scoring.vector(other))

    def score(self, one: Floats, other: Floats) -> float:
        """Return the score (0..1) of two vectors (d,) of the scoring; see `of_faces`."""
        seen = self.view.seen(similarity_of(one, other))
        return 0.0 if seen is None else self.scale.score(seen)


class ComparisonService:
    """Comparison of faces and embeddings, by the collection's policy.

    Every method raises CollectionUnknown, ModelMismatch, LivenessUnavailable, and PhotoRefused's subclasses.
    `is_exact` is for callers who may read templates; other callers get 0, or no entry, for similarities that they may
    not see (`SimilarityView`).
    """

    def __init__(
        self,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        listing: ListingRepository,
        policy_of: PolicyOf,
        identification: IdentificationService,
        *,
        gate: LivenessGate | None = None,
    ) -> None:
        self._gate = gate or LivenessGate()
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._listing = listing
        self._policy_of = policy_of
        self._identification = identification

    def faces(self, photo: bytes, choice: FaceSelection, *, collection: str) -> list[SelectedFace]:
        """Return the selected faces of a photo, the largest first; raises NoFace if the photo has no face."""
        target = self._gallery.require(collection)
        check = self._gate.check(target, Operation.DETECT)
        chosen = self._chosen(photo, choice, target, has_liveness=check.is_on)
        return [SelectedFace(face, check.decide(face)) for face in chosen]

    def recognise(
        self, photo: bytes, choice: FaceSelection, *, collection: str, top_k: int, is_exact: bool = True
    ) -> Recognition:
        """Search all identities for the selected faces, without a threshold; raises NoFace if the photo has no face."""
        identification = self._identification.identify(photo, collection=collection, top_k=top_k, is_exact=is_exact)
        target = self._gallery.require(collection)
        scale, check = self._scale(target), self._gate.check(target, Operation.IDENTIFY)
        chosen = [identification.faces[place] for place in choice.places([each.face for each in identification.faces])]
        recognised = [
            RecognisedFace(
                each.face,
                _alike(each.candidates, scale) if check.may_match(each.liveness) else [],
                each.liveness,
            )
            for each in chosen
        ]
        return Recognition(recognised, identification)

    def recognise_embeddings(
        self, embeddings: Sequence[NDArray[np.float64]], *, collection: str, top_k: int, is_exact: bool = True
    ) -> list[list[ScoredIdentity]]:
        """Search embeddings (d,) as `recognise` does; raises RequestInvalid as `IdentificationService.search`."""
        scale = self._scale(self._gallery.require(collection))
        found = [
            self._identification.search(each, collection=collection, top_k=top_k, is_exact=is_exact)
            for each in embeddings
        ]
        return [_alike(each.candidates, scale) for each in found]

    def with_face(
        self, photo: bytes, choice: FaceSelection, *, collection: str, face_id: str, is_exact: bool = True
    ) -> tuple[str, list[ComparedFace]]:
        """Compare the selected faces of a photo with an enrolled face; the first value is its identity.

        Raises FaceUnknown, NoFace.
        """
        target = self._gallery.require(collection)
        record = self._listing.face(target, face_id, has_embedding=True)
        assert record.embedding is not None  # noqa: S101 - asked for
        check = self._gate.check(target, Operation.VERIFY)
        seen = self._seen(self._policy_of(target).for_probes(), is_exact=is_exact)
        faces = self._chosen(photo, choice, target, is_probe=True, has_liveness=check.is_on)
        selected = [SelectedFace(face, check.decide(face)) for face in faces]
        check.note_refused(each.liveness for each in selected)
        enrolled = seen.scoring.vector(record.embedding, record.norm)
        return record.identity_id, [
            ComparedFace(
                each.face,
                seen.score(seen.scoring.vector(each.face.vector, each.face.norm), enrolled)
                if check.may_match(each.liveness)
                else 0.0,
                each.liveness,
            )
            for each in selected
        ]

    def photos(
        self, source: bytes, target: bytes, choice: FaceSelection, *, collection: str, is_exact: bool = True
    ) -> tuple[SelectedFace, list[ComparedFace]]:
        """Compare the sole face of `source` with the selected faces of `target`, by the same selection.

        Liveness is about `source`, the photo to verify in CompreFace's words. Raises NoFace if one of the photos has
        no selected face, SeveralFaces as `FaceSelection.sole`, and PresentationAttack.
        """
        of = self._gallery.require(collection)
        check = self._gate.check(of, Operation.VERIFY)
        face = choice.sole(self._faces(source, of, has_liveness=check.is_on))
        selected = SelectedFace(face, check.decide(face))
        check.require(selected.liveness)
        seen = self._seen(self._policy_of(of), is_exact=is_exact)
        others = self._chosen(target, choice, of, is_probe=True)
        may_match = check.may_match(selected.liveness)
        return selected, [ComparedFace(each, seen.of_faces(each, face) if may_match else 0.0) for each in others]

    def embeddings_with_face(
        self, embeddings: Sequence[NDArray[np.float64]], *, collection: str, face_id: str, is_exact: bool = True
    ) -> list[float]:
        """Return the scores of embeddings (d,) against an enrolled face; raises FaceUnknown, RequestInvalid."""
        target = self._gallery.require(collection)
        record = self._listing.face(target, face_id, has_embedding=True)
        assert record.embedding is not None  # noqa: S101 - asked for
        seen = self._seen(self._policy_of(target).for_probes(), is_exact=is_exact)
        enrolled = seen.scoring.vector(record.embedding, record.norm)
        return [seen.score(seen.scoring.vector(unit(each, target.dimension)), enrolled) for each in embeddings]

    def embeddings(
        self,
        source: NDArray[np.float64],
        targets: Sequence[NDArray[np.float64]],
        *,
        collection: str,
        is_exact: bool = True,
    ) -> list[float]:
        """Return the scores of embeddings (d,) against `source` (d,); raises RequestInvalid for an invalid one."""
        of = self._gallery.require(collection)
        seen = self._seen(self._policy_of(of), is_exact=is_exact)
        probe = unit(source, of.dimension)
        return [seen.of_embeddings(unit(each, of.dimension), probe) for each in targets]

    def _chosen(
        self,
        photo: bytes,
        choice: FaceSelection,
        collection: Collection,
        *,
        is_probe: bool = False,
        has_liveness: bool = False,
    ) -> list[Face]:
        faces = self._faces(photo, collection, is_probe=is_probe, has_liveness=has_liveness)
        return [faces[place] for place in choice.places(faces)]

    def _faces(
        self, photo: bytes, collection: Collection, *, is_probe: bool = False, has_liveness: bool = False
    ) -> AnalysedFaces:
        return self._analysis_of(collection).analyse(
            photo,
            is_flip_averaged=collection.settings.is_flip_averaged,
            is_probe=is_probe,
            has_liveness=has_liveness,
        )

    def _scale(self, collection: Collection) -> SimilarityScale:
        return SimilarityScale(self._policy_of(collection).for_probes())

    def _seen(self, policy: Policy, *, is_exact: bool) -> _ScoreView:
        view = SimilarityView.of(policy.for_verification, is_exact=is_exact)
        return _ScoreView(SimilarityScale(policy), view, policy.scoring)


def _alike(candidates: Sequence[Candidate], scale: SimilarityScale) -> list[ScoredIdentity]:
    """Return candidates by their score, which takes the number of faces of each template into account."""
    people = [ScoredIdentity(each.identity_id, scale.score(each.similarity, each.faces)) for each in candidates]
    return sorted(people, key=lambda each: -each.score)  # stable: the more similar first among equals


def _area(face: Face) -> float:
    left, top, right, bottom = face.detection.box
    return (right - left) * (bottom - top)
