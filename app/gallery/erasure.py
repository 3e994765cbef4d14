"""Erasure of people, with a receipt of the removed data and the remaining copies."""

from collections.abc import Callable, Sequence
from collections.abc import Collection as AnyOf
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.database.audit import Noted
from app.database.scrubbing import Scrubber
from app.gallery.gallery import Gallery
from app.gallery.index_state import ErasureResult
from app.gallery.store.values import Collection, RemovalResult
from app.types import IndexKind

REPLICAS = ("replicas", "other replicas forget within ARCID_GALLERY__FOLLOW_SECONDS, snapshots of theirs included")
BACKUPS = ("backups", "copies of the database or the data folder that were made before, outside this service")
ENGINE = (IndexKind.MILVUS.value, "the engine's own files, until it compacts them")
DEAD_ROWS = ("database", "dead rows and PostgreSQL's own log, until `arcid db vacuum-erased` and its archives' end")
EXPORTS = (
    "exports",
    "archives that jobs made within a day, after which they are deleted; and those that were fetched",
)
UPLOADS = (
    "jobs",
    (
        "files of unfinished imports may contain this person: the imports enroll nobody who was erased since "
        "they were created, and their files are deleted when they end: {}"
    ),
)
LOG_PENDING = ("write-ahead log", "another process reads; it is emptied in the background, seconds later")
FILES_PENDING = ("snapshots", "a file could not be deleted; the next snapshot deletes it")


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of an erasure. `left` and `pending` are (place, data); the service removes `pending` data itself."""

    collection: str
    identity_id: str
    is_identity_gone: bool
    face_ids: Sequence[str]
    answers: int
    events: int
    index_kind: str
    snapshot_files: int
    revision: int
    noted: Noted
    at: datetime
    pending: Sequence[tuple[str, str]]
    left: Sequence[tuple[str, str]]


class JobRedaction(Protocol):
    """Removal of personal data from the records of jobs."""

    def redact(self, collection: str, words: AnyOf[str]) -> int:
        """Remove a person's id and name from the texts of jobs, and return the number of changed texts."""

    def redact_all(self, collection: str) -> None:
        """Remove all personal data from the texts of a collection's jobs."""

    def unfinished_imports(self, collection: str) -> list[str]:
        """Return the ids of the unfinished imports into a collection."""


class ErasureService:
    """Erases people.

    Every method raises CollectionUnknown, IdentityUnknown or FaceUnknown, and ModelMismatch if the collection's network
    is not served.
    """

    def __init__(
        self,
        gallery: Gallery,
        scrubber: Scrubber,
        has_exports: Callable[[str], bool] = lambda _: False,
        traces: JobRedaction | None = None,
    ) -> None:
        """`has_exports`: whether data folders may still contain archives of a collection; `traces`: redacts jobs."""
        self._traces = traces
        self._gallery = gallery
        self._scrubber = scrubber
        self._has_exports = has_exports

    def identity(self, collection: str, identity_id: str) -> Receipt:
        """Erase a person: see `Gallery.remove_identity`."""
        return self._receipt(collection, self._gallery.remove_identity(self._gallery.require(collection), identity_id))

    def face(self, collection: str, face_id: str) -> Receipt:
        """Erase one face, and the person with the last face."""
        return self._receipt(collection, self._gallery.remove_face(self._gallery.require(collection), face_id))

    def finish_removal(self, collection: Collection, removed: RemovalResult) -> Receipt:
        """Complete an erasure after the face or identity was deleted from the database."""
        return self._receipt(collection.name, self._gallery.finish_removal(collection, removed))

    def finish_clear(self, collection: Collection, revision: int) -> None:
        """Complete the emptying of a collection; `revision` is its revision after it."""
        if self._traces is not None:
            self._traces.redact_all(collection.name)
        self._gallery.catch_up(collection, revision)
        self._scrubber.scrub()

    def _receipt(self, collection: str, finish_removal: ErasureResult) -> Receipt:
        removed, pending, left = finish_removal.removed, [], [REPLICAS, BACKUPS]
        if self._traces is not None:
            if removed.is_whole:
                self._traces.redact(collection, [removed.identity_id, removed.name or ""])
            if imports := self._traces.unfinished_imports(collection):
                pending.append((UPLOADS[0], UPLOADS[1].format(", ".join(imports))))
        if not self._scrubber.scrub():
            pending.append(LOG_PENDING)
        if finish_removal.files is None:
            pending.append(FILES_PENDING)
        if self._scrubber.keeps_dead_rows:
            left.append(DEAD_ROWS)
        if finish_removal.index_kind == ENGINE[0]:
            left.append(ENGINE)
        if self._has_exports(collection):
            left.append(EXPORTS)
        return Receipt(
            collection=collection,
            identity_id=removed.identity_id,
            is_identity_gone=removed.is_whole,
            face_ids=removed.face_ids,
            answers=removed.answers,
            events=removed.events,
            index_kind=finish_removal.index_kind,
            snapshot_files=finish_removal.files or 0,
            revision=removed.revision,
            noted=removed.noted,
            at=removed.at,
            pending=pending,
            left=left,
        )
