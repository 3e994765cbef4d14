"""Enrolled people and their faces: list and edit."""

from collections.abc import Collection as AnyOf
from collections.abc import Sequence

from app.errors import RequestInvalid
from app.gallery.gallery import Gallery
from app.gallery.store.editing import EditingRepository
from app.gallery.store.face_images import FaceImages
from app.gallery.store.listing import ListingRepository
from app.gallery.store.records import FaceRecord, IdentityOrder, IdentityRecord, PeoplePage, PersonChange
from app.gallery.store.values import Person
from app.types import Page


class PeopleService:
    """All of it in collections of the running network: raises CollectionUnknown, and ModelMismatch for others."""

    def __init__(
        self, gallery: Gallery, listing: ListingRepository, editing: EditingRepository, images: FaceImages
    ) -> None:
        self._gallery = gallery
        self._listing = listing
        self._editing = editing
        self._images = images

    def page(self, collection: str, *, after: int, limit: int, text: str | None, order: IdentityOrder) -> PeoplePage:
        """See `ListingRepository.identities`."""
        target = self._gallery.require(collection)
        return self._listing.identities(target, after=after, limit=limit, text=text, order=order)

    def get(self, collection: str, identity_id: str) -> IdentityRecord:
        """Return one person; raises IdentityUnknown."""
        return self._listing.identity(self._gallery.require(collection), identity_id)

    def faces_page(self, collection: str, *, after: int, limit: int, identity_id: str | None) -> Page[FaceRecord]:
        """See `ListingRepository.faces`; raises IdentityUnknown."""
        target = self._gallery.require(collection)
        if identity_id is not None:
            self._listing.identity(target, identity_id)
        return self._listing.faces(target, after=after, limit=limit, identity_id=identity_id)

    def face(self, collection: str, face_id: str, *, has_embedding: bool) -> FaceRecord:
        """Return one face, with its embedding if wanted; raises FaceUnknown."""
        return self._listing.face(self._gallery.require(collection), face_id, has_embedding=has_embedding)

    def image(self, collection: str, face_id: str) -> bytes:
        """Return a face as a JPEG; see `FaceImages.image`."""
        return self._images.image(self._gallery.require(collection), face_id)

    def change(
        self, collection: str, identity_id: str, change: PersonChange, versions: AnyOf[str] | None
    ) -> IdentityRecord:
        """Change name or metadata; see `EditingRepository.change`."""
        target = self._gallery.require(collection)
        edited = self._editing.change(target, identity_id, change, versions)
        self._gallery.catch_up(target, edited.revision)
        return self._listing.identity(target, identity_id)

    def merge(self, collection: str, identity_id: str, into: str) -> IdentityRecord:
        """Make two people one; see `EditingRepository.merge`. Raises RequestInvalid for a person and themselves."""
        target = self._gallery.require(collection)
        if identity_id == into:
            detail = "an identity cannot be merged into itself"
            raise RequestInvalid.at("into", detail)
        edited = self._editing.merge(target, identity_id, into)
        self._gallery.catch_up(target, edited.revision)
        return self._listing.identity(target, into)

    def move_face(self, collection: str, face_id: str, identity_id: str) -> FaceRecord:
        """Give a face to another person; see `EditingRepository.move_faces`."""
        self.move_faces(collection, [face_id], Person(identity_id))
        return self._listing.face(self._gallery.require(collection), face_id)

    def move_faces(self, collection: str, face_ids: Sequence[str], person: Person) -> IdentityRecord:
        """Give faces to another person; see `EditingRepository.move_faces`."""
        target = self._gallery.require(collection)
        edited = self._editing.move_faces(target, face_ids, person)
        self._gallery.catch_up(target, edited.revision)
        return self._listing.identity(target, person.identity_id)
