"""Comparison: how alike faces are, without a decision. Whoever calls has a threshold of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import NoFace, SeveralFaces
from app.faces import Candidate
from app.identities.listing import Listing
from app.identities.values import Collection
from app.recognition.analysis import AnalysisOf, Face
from app.recognition.gallery import Gallery
from app.recognition.identification import Identification, IdentificationService, unit
from app.recognition.likeness import Scale
from app.recognition.policy import PolicyOf


@dataclass(frozen=True, slots=True)
class Choice:
    """Which faces of a photo count: those with a detection score of at least `least_score`, the `most` largest.

    `most` 0 is all of them.
    """

    least_score: float = 0
    most: int = 0

    def places(self, faces: Sequence[Face]) -> list[int]:
        """Return where in `faces` these are, the largest first; raises NoFace when none is left."""
        clear = [place for place, face in enumerate(faces) if face.detection.score >= self.least_score]
        if not clear:
            raise NoFace("no face was found in the photo")
        return sorted(clear, key=lambda place: _area(faces[place]), reverse=True)[: self.most or None]


@dataclass(frozen=True, slots=True)
class Alike:
    """An identity, and how alike (0..1) a probe is to it."""

    identity_id: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Recognised:
    """A face of a photo, and whom it is like, best first."""

    face: Face
    people: list[Alike]


@dataclass(frozen=True, slots=True)
class Recognition:
    """The faces that were chosen, the largest first; `identification` is that of all faces of the photo."""

    faces: list[Recognised]
    identification: Identification


@dataclass(frozen=True, slots=True)
class Compared:
    """A face of a photo, and how alike (0..1) it is to the one that it was compared with."""

    face: Face
    likeness: float


class ComparisonService:
    """All of it by the collection's policy: raises CollectionUnknown, ModelMismatch, and PhotoRefused's children."""

    def __init__(
        self,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        listing: Listing,
        policy_of: PolicyOf,
        identification: IdentificationService,
    ) -> None:
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._listing = listing
        self._policy_of = policy_of
        self._identification = identification

    def faces(self, photo: bytes, choice: Choice, *, collection: str) -> list[Face]:
        """Return the chosen faces of a photo, the largest first; raises NoFace."""
        return self._chosen(photo, choice, self._gallery.require(collection))

    def recognise(self, photo: bytes, choice: Choice, *, collection: str, top_k: int) -> Recognition:
        """Look up the chosen faces among all people, however little alike they are; raises NoFace."""
        identification = self._identification.identify(photo, collection=collection, top_k=top_k)
        scale = self._scale(self._gallery.require(collection))
        chosen = [identification.faces[place] for place in choice.places([each.face for each in identification.faces])]
        return Recognition([Recognised(each.face, _alike(each.candidates, scale)) for each in chosen], identification)

    def recognise_embeddings(
        self, embeddings: Sequence[NDArray[np.float64]], *, collection: str, top_k: int
    ) -> list[list[Alike]]:
        """Look up embeddings (d,) as `recognise` does; raises RequestInvalid as `IdentificationService.search`."""
        scale = self._scale(self._gallery.require(collection))
        found = [self._identification.search(each, collection=collection, top_k=top_k) for each in embeddings]
        return [_alike(each.candidates, scale) for each in found]

    def with_face(self, photo: bytes, choice: Choice, *, collection: str, face_id: str) -> tuple[str, list[Compared]]:
        """Compare the chosen faces of a photo with an enrolled face; the first value is whose that is.

        Raises FaceUnknown, NoFace.
        """
        target = self._gallery.require(collection)
        record = self._listing.face(target, face_id, has_embedding=True)
        assert record.embedding is not None  # noqa: S101 - asked for
        scale = self._scale(target)
        faces = self._chosen(photo, choice, target)
        return record.identity_id, [_compared(face, float(face.vector @ record.embedding), scale) for face in faces]

    def photos(self, source: bytes, target: bytes, choice: Choice, *, collection: str) -> tuple[Face, list[Compared]]:
        """Compare the only face of `source` with the chosen faces of `target`; raises NoFace, SeveralFaces."""
        of = self._gallery.require(collection)
        faces = self._chosen(source, Choice(choice.least_score), of)
        if len(faces) > 1:
            raise SeveralFaces(f"the source photo shows {len(faces)} faces; it must show one")
        scale = self._scale(of)
        others = self._chosen(target, choice, of)
        return faces[0], [_compared(each, float(each.vector @ faces[0].vector), scale) for each in others]

    def embeddings_with_face(
        self, embeddings: Sequence[NDArray[np.float64]], *, collection: str, face_id: str
    ) -> list[float]:
        """Return how alike embeddings (d,) are to an enrolled face; raises FaceUnknown, RequestInvalid."""
        target = self._gallery.require(collection)
        record = self._listing.face(target, face_id, has_embedding=True)
        assert record.embedding is not None  # noqa: S101 - asked for
        return self.embeddings(record.embedding.astype(np.float64), embeddings, collection=collection)

    def embeddings(
        self, source: NDArray[np.float64], targets: Sequence[NDArray[np.float64]], *, collection: str
    ) -> list[float]:
        """Return how alike embeddings (d,) are to `source` (d,); raises RequestInvalid for one that is none."""
        of = self._gallery.require(collection)
        scale = self._scale(of)
        probe = unit(source, of.dimension)
        return [scale.likeness(float(unit(each, of.dimension) @ probe)) for each in targets]

    def _chosen(self, photo: bytes, choice: Choice, collection: Collection) -> list[Face]:
        faces = self._analysis_of(collection).analyse(photo, is_flip_averaged=collection.practice.is_flip_averaged)
        return [faces[place] for place in choice.places(faces)]

    def _scale(self, collection: Collection) -> Scale:
        return Scale(self._policy_of(collection))


def _alike(candidates: Sequence[Candidate], scale: Scale) -> list[Alike]:
    """Return candidates by their likeness, which knows of how many faces each template is."""
    people = [Alike(each.identity_id, scale.likeness(each.similarity, each.faces)) for each in candidates]
    return sorted(people, key=lambda each: -each.likeness)  # stable: the more similar first among equals


def _compared(face: Face, similarity: float, scale: Scale) -> Compared:
    return Compared(face, scale.likeness(similarity))


def _area(face: Face) -> float:
    left, top, right, bottom = face.detection.box
    return (right - left) * (bottom - top)
