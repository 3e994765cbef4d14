"""Groups of unknown faces, as callers review them: list, show, merge, split, hide and delete."""

from collections.abc import Collection as AnyOf
from collections.abc import Sequence

from app.database.scrubbing import Scrubber
from app.errors import RequestInvalid
from app.gallery.gallery import Gallery
from app.gallery.store.unknown.group_edits import GroupEditor
from app.gallery.store.unknown.groups import GroupReader
from app.gallery.store.unknown.values import GroupsPage, GroupState, UnknownFaceRecord, UnknownGroup
from app.types import Page

_Versions = AnyOf[str] | None


class UnknownGroupService:
    """Groups in collections of any network. Every method raises CollectionUnknown, GroupUnknown and FaceUnknown.

    Edits raise PreconditionFailed if a group has none of the wanted `versions`; None: any will do.
    """

    def __init__(self, gallery: Gallery, reader: GroupReader, editor: GroupEditor, scrubber: Scrubber) -> None:
        self._gallery = gallery
        self._reader = reader
        self._editor = editor
        self._scrubber = scrubber

    def page(self, collection: str, *, state: GroupState, after: int, limit: int) -> GroupsPage:
        """See `GroupReader.page`."""
        return self._reader.page(self._gallery.collection(collection), state=state, after=after, limit=limit)

    def get(self, collection: str, group_id: str) -> UnknownGroup:
        """Return a group."""
        return self._reader.group(self._gallery.collection(collection), group_id)

    def faces(self, collection: str, group_id: str | None, *, after: int, limit: int) -> Page[UnknownFaceRecord]:
        """Return a page of the faces of a group, or of those in no group."""
        target = self._gallery.collection(collection)
        group = None if group_id is None else self._reader.group(target, group_id)
        return self._reader.faces(target, group, after=after, limit=limit)

    def image(self, collection: str, face_id: str) -> bytes:
        """Return an unknown face as a JPEG; raises also FaceImageUnknown."""
        return self._reader.image(self._gallery.collection(collection), face_id)

    def create(self, collection: str, face_ids: Sequence[str]) -> UnknownGroup:
        """Make a group of faces that are in no group; raises RequestInvalid if one is."""
        target = self._gallery.collection(collection)
        return self._reader.group(target, self._editor.create(target, face_ids))

    def set_state(self, collection: str, group_id: str, state: GroupState, versions: _Versions) -> UnknownGroup:
        """Leave a group out of the review, hide it until it grows, or open it again."""
        target = self._gallery.collection(collection)
        self._editor.set_state(target, group_id, state, versions)
        return self._reader.group(target, group_id)

    def merge(self, collection: str, group_id: str, others: Sequence[str], versions: _Versions) -> UnknownGroup:
        """Give the faces of other groups to a group. Raises RequestInvalid for a group and itself."""
        if group_id in others:
            raise RequestInvalid.at("groups", "a group cannot be merged with itself")
        target = self._gallery.collection(collection)
        self._editor.merge(target, group_id, others, versions)
        return self._reader.group(target, group_id)

    def split(self, collection: str, group_id: str, face_ids: Sequence[str], versions: _Versions) -> UnknownGroup:
        """Move faces to a new group, which is of another person, and return it; see `GroupEditor.split`."""
        target = self._gallery.collection(collection)
        return self._reader.group(target, self._editor.split(target, group_id, face_ids, versions))

    def delete(self, collection: str, group_id: str, versions: _Versions) -> int:
        """Delete a group with its faces, and return the number of faces."""
        deleted = self._editor.delete(self._gallery.collection(collection), group_id, versions)
        self._scrubber.scrub()
        return deleted
