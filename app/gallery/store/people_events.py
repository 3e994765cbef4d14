"""Events about enrolled people, appended in the transactions that add, remove and move them.

A request makes one event for each person. An import makes one for each of its transactions: with counts and no ids, so
that a million photos do not become a million events.
"""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy.orm import Session

from app.database import outbox
from app.database.event_erasure import follow_person, forget_people, forget_person
from app.database.outbox import EventKind, NewEvent
from app.gallery.store.values import Collection, JsonObject

_MOST_IDS = 100


class ChangeReason(StrEnum):
    """The reason for which people are added or removed."""

    ENROLLED = "enrolled"
    IMPORTED = "imported"
    DELETED = "deleted"
    EXPIRED = "expired"
    MERGED = "merged"
    MOVED = "moved"
    RENAMED = "renamed"
    CLEARED = "cleared"
    COLLECTION_DELETED = "collection_deleted"


def added(
    collection: Collection, identity_id: str, face_ids: Sequence[str], reason: ChangeReason, *, is_new: bool
) -> NewEvent:
    """Return the event of faces that a person got."""
    data = {"reason": reason.value, "identity_id": identity_id, "is_new": is_new, **_faces(face_ids)}
    return _event(EventKind.ENROLLMENT_ADDED, collection, data, identity_id)


def removed(
    collection: Collection,
    identity_id: str,
    face_ids: Sequence[str],
    reason: ChangeReason,
    *,
    is_whole: bool,
    into: str | None = None,
) -> NewEvent:
    """Return the event of faces that a person lost; `is_whole`: no such person is enrolled any more.

    `into`: the person who has the faces now.
    """
    data = {"reason": reason.value, "identity_id": identity_id, "is_whole": is_whole, **_faces(face_ids)}
    if into is not None:
        data["into"] = into
    return _event(EventKind.ENROLLMENT_REMOVED, collection, data, identity_id)


def append_import(session: Session, collection: Collection, *, identities: int, faces: int) -> None:
    """Append the event of a transaction of an import; `identities` counts the new ones."""
    data = {"reason": ChangeReason.IMPORTED.value, "identities": identities, "faces": faces}
    outbox.append(session, _event(EventKind.ENROLLMENT_ADDED, collection, data))


def replace_all(session: Session, collection: Collection, reason: ChangeReason, *, identities: int, faces: int) -> None:
    """Delete all events of a collection whose people were deleted, and append the one that reports it."""
    forget_people(session, collection.name)
    data = {"reason": reason.value, "identities": identities, "faces": faces}
    outbox.append(session, _event(EventKind.ENROLLMENT_REMOVED, collection, data))


def append_removal(
    session: Session,
    collection: Collection,
    identity_id: str,
    face_ids: Sequence[str],
    reason: ChangeReason,
    *,
    is_whole: bool,
) -> int:
    """Append the event of a removal. With `is_whole`, first delete all events about the person; return their number."""
    forgotten = forget_person(session, collection.name, identity_id) if is_whole else 0
    outbox.append(session, removed(collection, identity_id, face_ids, reason, is_whole=is_whole))
    return forgotten


def append_merge(
    session: Session, collection: Collection, identity_id: str, into: str, face_ids: Sequence[str]
) -> None:
    """Assign the events of a merged person to the other one, and append the events of the merge."""
    follow_person(session, collection.name, identity_id, into)
    reason = ChangeReason.MERGED
    outbox.append(
        session,
        removed(collection, identity_id, face_ids, reason, is_whole=True, into=into),
        added(collection, into, face_ids, reason, is_new=False),
    )


def append_move(
    session: Session, collection: Collection, identity_id: str, into: str, face_ids: Sequence[str], *, is_last: bool
) -> None:
    """Append the event of faces that were moved; if they were the last ones, assign the person's events to `into`."""
    if is_last:
        follow_person(session, collection.name, identity_id, into)
    event = removed(collection, identity_id, face_ids, ChangeReason.MOVED, is_whole=is_last, into=into)
    outbox.append(session, event)


def append_rename(session: Session, collection: Collection, identity_id: str, new_id: str) -> None:
    """Assign the events of a renamed person to the new id, and append the events of the rename."""
    follow_person(session, collection.name, identity_id, new_id)
    reason = ChangeReason.RENAMED
    outbox.append(
        session,
        removed(collection, identity_id, (), reason, is_whole=True, into=new_id),
        added(collection, new_id, (), reason, is_new=True),
    )


def _event(kind: EventKind, collection: Collection, data: JsonObject, subject: str | None = None) -> NewEvent:
    return NewEvent(kind, f"collection:{collection.name}", data, collection=collection.name, subject=subject)


def _faces(face_ids: Sequence[str]) -> JsonObject:
    return {"faces": len(face_ids), "face_ids": list(face_ids[:_MOST_IDS])}
