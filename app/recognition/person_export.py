"""Everything that is stored about one person, for that person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.access.trail import AuditLine, Trail
from app.gallery.gallery import Gallery
from app.gallery.store.face_images import FaceImages
from app.gallery.store.listing import ListingRepository
from app.gallery.store.records import FaceRecord, IdentityRecord
from app.gallery.store.review_pages import ReviewPages
from app.gallery.store.review_values import ReviewRecord
from app.gallery.store.values import JsonObject
from app.notify.event_log import EventLog, LoggedEvent

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class PersonalData:
    """A person, all faces with embeddings, answers of enrollments, reviews, events, and the trail's lines about them.

    `images` has the JPEGs of faces by their ids.
    """

    collection: str
    identity: IdentityRecord
    faces: Sequence[FaceRecord]
    images: Mapping[str, bytes]
    answers: Sequence[JsonObject]
    reviews: Sequence[ReviewRecord]
    events: Sequence[LoggedEvent]
    trail: Sequence[AuditLine]


class PersonExportService:
    """See `of`."""

    def __init__(
        self,
        gallery: Gallery,
        listing: ListingRepository,
        trail: Trail,
        images: FaceImages,
        *,
        events: EventLog,
        reviews: ReviewPages,
    ) -> None:
        self._events = events
        self._reviews = reviews
        self._gallery = gallery
        self._images = images
        self._listing = listing
        self._trail = trail

    def of(self, collection: str, identity_id: str) -> PersonalData:
        """Return everything about a person, and note in the trail that it was asked for.

        Raises CollectionUnknown, IdentityUnknown, and ModelMismatch if the collection's network is not served.
        """
        target = self._gallery.require(collection)
        identity = self._listing.identity(target, identity_id)
        faces: list[FaceRecord] = []
        after: int | None = 0
        while after is not None:
            page = self._listing.faces(target, after=after, limit=_AT_ONCE, identity_id=identity_id, has_embedding=True)
            faces += page.items
            after = page.after
        images = {each.face_id: self._images.image(target, each.face_id) for each in faces if each.has_image}
        self._trail.note_export(collection, identity_id)
        answers = self._listing.answers(target, identity_id)
        events = self._events.about(collection, identity_id)
        lines = list(self._trail.about(collection, identity_id))
        reviews = list(self._reviews.all(target, identity_id=identity_id))
        return PersonalData(collection, identity, faces, images, answers, reviews, events, lines)
