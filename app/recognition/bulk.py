"""Enrolment of many people in one go: photos are accepted on many threads, and written by one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

from app.errors import ArcidError, DuplicateIdentity, FaceMismatch
from app.identities.values import Collection, Person, Reaction, Written
from app.recognition.duplicates import described
from app.recognition.enrolment import Accepted, EnrolmentService, FaceChoice
from app.recognition.gallery import Gallery
from app.recognition.screening import Reactions

_PEOPLE_AT_ONCE = 64


class BulkEnrolment:
    """Photos into one collection, each accepted or refused as by `EnrolmentService.enrol`; safe under threads."""

    def __init__(self, enrolment: EnrolmentService, gallery: Gallery, collection: str, choice: FaceChoice) -> None:
        """Raises CollectionUnknown, ModelMismatch."""
        self._enrolment = enrolment
        self._gallery = gallery
        self._collection: Collection = gallery.require(collection)
        self._choice = choice
        # Of the people whose turn it is: photos of one person come together.
        self._photos_of = lru_cache(_PEOPLE_AT_ONCE)(partial(gallery.photos_of, self._collection))
        practice = self._collection.practice
        self._reactions = Reactions(_only_rejected(practice.on_duplicate), _only_rejected(practice.on_mismatch))

    def is_known(self, identity_id: str, image_sha256: str) -> bool:
        """Say whether a person was enrolled with this very photo; `add` asks again, and then for certain."""
        return image_sha256 in self._photos_of(identity_id)

    def prepare(self, photo: bytes, image_sha256: str) -> Accepted:
        """Analyse and judge a photo; raises a PhotoRefused."""
        return self._enrolment.accept(self._collection, photo, image_sha256, self._choice)

    def add(self, people: Sequence[tuple[Person, Sequence[Accepted]]]) -> list[Written]:
        """Write photos of people in one transaction, without those that they are enrolled with already."""
        return self._enrolment.add_people(self._collection, people)

    @property
    def is_refusing(self) -> bool:
        """Say whether the collection refuses faces for being somebody else's: then people come one by one."""
        return self._reactions != Reactions(Reaction.ALLOW, Reaction.ALLOW)

    def refusals(self, identity_id: str, photos: Sequence[Accepted]) -> list[tuple[int, ArcidError]]:
        """Return which photos (from 0) of one person the collection refuses for being somebody else's, and why.

        Only where it refuses such: what it would only flag is found by the health check, all of it at once.
        """
        if not self.is_refusing:
            return []
        numbered = [replace(each, photo=place) for place, each in enumerate(photos)]
        found = self._enrolment.screen(self._collection, identity_id, numbered, self._reactions)
        refused: list[tuple[int, ArcidError]] = [(each.photo, FaceMismatch(each.detail)) for each in found.rejected]
        if found.duplicates:
            rest = [place for place in range(len(photos)) if place not in {place for place, _ in refused}]
            refused += [(place, DuplicateIdentity(described(found.duplicates), found.duplicates)) for place in rest]
        return refused


def _only_rejected(reaction: Reaction) -> Reaction:
    return reaction if reaction is Reaction.REJECT else Reaction.ALLOW
