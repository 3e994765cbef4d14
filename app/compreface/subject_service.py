"""Subjects: identities that exist without a photo, and can be renamed."""

from collections.abc import Sequence
from contextlib import suppress

from app.compreface.comparison import FaceSelection
from app.errors import FaceUnknown, IdentityExists, IdentityUnknown, SeveralFaces
from app.gallery.erasure import ErasureService
from app.gallery.gallery import Gallery
from app.gallery.store.listing import ListingRepository
from app.gallery.store.subjects import Example, Examples, SubjectRepository
from app.gallery.store.values import Collection, Person
from app.recognition.analysis import AnalysisOf
from app.recognition.enrollment import EnrollmentService
from app.recognition.face_choice import FaceChoice
from app.recognition.people import PeopleService


class SubjectService:
    """Operations on subjects. Every method raises CollectionUnknown and ModelMismatch."""

    def __init__(
        self,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        listing: ListingRepository,
        roster: SubjectRepository,
        *,
        enrollment: EnrollmentService,
        people: PeopleService,
        erasure: ErasureService,
    ) -> None:
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._listing = listing
        self._roster = roster
        self._enrollment = enrollment
        self._people = people
        self._erasure = erasure

    def ids(self, collection: str) -> list[str]:
        """Return the ids of all subjects, the oldest first."""
        return self._roster.ids(self._gallery.require(collection))

    def create(self, collection: str, identity_id: str) -> None:
        """Create a subject without a face; its id is also its name. Raises IdentityExists."""
        target = self._gallery.require(collection)
        self._gallery.catch_up(target, self._roster.create(target, Person(identity_id, identity_id)))

    def rename(self, collection: str, identity_id: str, new_id: str) -> bool:
        """Rename a subject, or merge it into the subject with the new id; return whether anything changed.

        Raises IdentityUnknown.
        """
        if identity_id == new_id:
            return False
        target = self._gallery.require(collection)
        try:
            self._gallery.catch_up(target, self._roster.rename(target, identity_id, new_id))
        except IdentityExists:
            self._people.merge(collection, identity_id, new_id)
        return True

    def remove(self, collection: str, identity_id: str) -> int:
        """Delete a subject and return the number of its faces; raises IdentityUnknown."""
        return len(self._erasure.identity(collection, identity_id).face_ids)

    def remove_if_any(self, collection: str, identity_id: str) -> int:
        """Delete a subject and return the number of its faces, 0 if it does not exist."""
        try:
            return self.remove(collection, identity_id)
        except IdentityUnknown:
            return 0

    def clear(self, collection: str) -> tuple[int, int]:
        """Delete all subjects and return their number and that of their faces; the collection stays."""
        target = self._gallery.require(collection)
        cleared = self._roster.clear(target)
        self._erasure.finish_clear(target, cleared.revision)
        return cleared.identities, cleared.faces

    def add_example(
        self,
        photo: bytes,
        *,
        collection: str,
        identity_id: str,
        least_score: float | None = None,
        is_exact: bool = True,
    ) -> str:
        """Enroll the main face of a photo for a subject, and return the face's id.

        A new subject gets its id as its name. With a `least_score`, faces with a lower detection score do not count.
        Raises NothingEnrolled if the photo is refused: also because another face is nearly as prominent. With a
        `least_score`, it raises NoFace and SeveralFaces as `FaceSelection.sole`.
        """
        target = self._gallery.require(collection)
        choice = FaceChoice.MAIN if least_score is None else self._choice(target, photo, least_score)
        name = None if self._roster.has(target, identity_id) else identity_id
        enrollment = self._enrollment.enroll(
            [photo], collection=collection, identity_id=identity_id, name=name, choice=choice, is_exact=is_exact
        )
        return enrollment.faces[0].face_id

    def examples(self, collection: str, *, start: int, limit: int, identity_id: str | None) -> Examples:
        """See `SubjectRepository.examples`."""
        target = self._gallery.require(collection)
        return self._roster.examples(target, start=start, limit=limit, identity_id=identity_id)

    def remove_example(self, collection: str, face_id: str) -> Example:
        """Delete a face; its subject stays, even without faces. Raises FaceUnknown."""
        target = self._gallery.require(collection)
        example, removed = self._roster.remove_face(target, face_id)
        self._erasure.finish_removal(target, removed)
        return example

    def remove_examples(self, collection: str, face_ids: Sequence[str]) -> list[Example]:
        """Delete faces one by one as `remove_example` does; return those that existed."""
        gone = []
        for face_id in face_ids:
            with suppress(FaceUnknown):
                gone.append(self.remove_example(collection, face_id))
        return gone

    def photo(self, collection: str, face_id: str) -> bytes:
        """See `PeopleService.image`."""
        return self._people.image(collection, face_id)

    def _choice(self, collection: Collection, photo: bytes, least_score: float) -> FaceChoice:
        """Return the choice that enrolls the sole face with this detection score; it must be the main face."""
        faces = self._analysis_of(collection).analyse(photo, is_flip_averaged=False)
        if FaceSelection(least_score).sole(faces) is not faces[0]:
            raise SeveralFaces(
                f"the photo shows {faces.detected} faces, the main one below det_prob_threshold; crop it"
            )
        return FaceChoice.LARGEST
