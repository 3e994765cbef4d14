"""Bulk enrollment of many people: photos are checked by many threads, and written by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from app.errors import ArcidError, DuplicateIdentity, FaceMismatch, IdentityErased
from app.gallery.gallery import Gallery
from app.gallery.store.rows import changed
from app.gallery.store.values import Collection, EnrollmentResult, Person
from app.recognition.accepted_faces import AcceptedFace
from app.recognition.enrollment import EnrollmentService
from app.recognition.face_choice import FaceChoice
from app.recognition.retry_on_migration import retry_on_migration
from app.recognition.screening import Reactions
from app.transfer.photo_import import Added

_PEOPLE_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class BulkWritten:
    """The result for one person's photos, and those that the collection refuses (index from 0, reason)."""

    written: EnrollmentResult
    refused: Sequence[tuple[int, ArcidError]] = ()


class BulkEnrollment:
    """Enrolls photos into one collection, by the checks of `EnrollmentService.enroll`. Thread-safe."""

    def __init__(self, enrollment: EnrollmentService, gallery: Gallery, collection: str, choice: FaceChoice) -> None:
        """Raise CollectionUnknown or ModelMismatch if the collection cannot be used."""
        self._enrollment = enrollment
        self._gallery = gallery
        self._collection: Collection = gallery.require(collection)
        self._choice = choice
        # Known photos of the current people; photos of one person are adjacent.
        self._photos_of = lru_cache(_PEOPLE_AT_ONCE)(partial(gallery.photos_of, self._collection))

    def is_known(self, identity_id: str, image_sha256: str) -> bool:
        """Return whether this exact photo is probably enrolled; `add` checks it again in its transaction."""
        return image_sha256 in self._photos_of(identity_id)

    def prepare(self, photo: bytes, image_sha256: str) -> AcceptedFace:
        """Analyse and check a photo; raises a PhotoRefused."""
        return self._enrollment.accept(self._collection, photo, image_sha256, self._choice)

    def compares_photos(self) -> bool:
        """Return whether the collection refuses duplicates or mismatches; raises CollectionSwitched."""
        return Reactions().within(self._current().settings).is_refusing()

    def add(self, people: Sequence[tuple[Person, Sequence[AcceptedFace]]]) -> list[Added]:
        """Write photos of people, skipping photos that are already enrolled; raises CollectionSwitched.

        All are written in one transaction. If the collection refuses duplicates of other people, each person has its
        own transaction, because each is compared with the people before. Duplicates to flag are left to
        the health check.
        """
        if self.compares_photos():
            done = [self._add_screened(person, photos) for person, photos in people]
        else:
            written = self._add_all(people)
            done = [_unless_erased(each, len(photos)) for each, (_, photos) in zip(written, people, strict=True)]
        return [_added(each, len(photos)) for each, (_, photos) in zip(done, people, strict=True)]

    @retry_on_migration
    def _add_all(self, people: Sequence[tuple[Person, Sequence[AcceptedFace]]]) -> list[EnrollmentResult]:
        return self._enrollment.add_people(self._current(), people)

    @retry_on_migration
    def _add_screened(self, person: Person, photos: Sequence[AcceptedFace]) -> BulkWritten:
        collection = self._current()
        do = Reactions().within(collection.settings).refusals()
        numbered = [replace(each, photo=place) for place, each in enumerate(photos)]
        found = self._enrollment.screen(collection, person.identity_id, numbered, do)
        refused: list[tuple[int, ArcidError]] = [(each.photo, FaceMismatch(each.detail)) for each in found.rejected]
        fitting = [each for each in numbered if each.photo not in {place for place, _ in refused}]
        if found.duplicates:
            error = DuplicateIdentity(found.duplicates)
            return BulkWritten(EnrollmentResult(()), [*refused, *((each.photo, error) for each in fitting)])
        if not fitting:
            return BulkWritten(EnrollmentResult(()), refused)
        try:
            check = self._enrollment.check(collection, person.identity_id, fitting, found, do)
            (written,) = self._enrollment.add_people(collection, [(person, fitting)], check=check)
        except DuplicateIdentity as error:
            return BulkWritten(EnrollmentResult(()), [*refused, *((each.photo, error) for each in fitting)])
        if written.is_erased:
            return _unless_erased(written, len(photos))
        return BulkWritten(written, refused)

    def _current(self) -> Collection:
        """Return the collection with its current settings.

        Raises CollectionSwitched if the settings that shape embeddings have changed since the first photo.
        """
        before, current = self._collection, self._gallery.require(self._collection.name)
        if (current.uid, current.settings.embedding_settings) != (before.uid, before.settings.embedding_settings):
            raise changed(current)
        self._collection = current
        return current


def _unless_erased(written: EnrollmentResult, photos: int) -> BulkWritten:
    """Return the result, or refuse all photos if the person was erased while this ran."""
    if not written.is_erased:
        return BulkWritten(written)
    error = IdentityErased("the person was erased after this job was created; if you want them back, enroll them again")
    return BulkWritten(written, [(place, error) for place in range(photos)])


def _added(done: BulkWritten, photos: int) -> Added:
    """Return the counts for a person with this number of photos."""
    enrolled = len(done.written.keys)
    return Added(enrolled, photos - enrolled - len(done.refused), done.written.is_new, done.refused)
