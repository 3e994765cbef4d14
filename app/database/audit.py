"""Writing the audit trail: call `append` last in the transaction that makes the change.

In the same transaction, so that a change and its line are committed together, without an extra commit. Last, because
it locks the head of the trail, which all writers share.

Each line contains the SHA-256 of the previous line, and its own over that and its content. So an edited, removed or
moved line breaks the chain.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.orm import Session

from app.database.tables import AuditHeadTable, AuditTable
from app.errors import TrailBroken

GENESIS = "0" * 64
"""The previous hash in the first line."""


class Action(StrEnum):
    """The action that a line records."""

    IDENTITY_ENROLLED = "identity.enrolled"
    IDENTITY_CREATED = "identity.created"
    IDENTITY_CHANGED = "identity.changed"
    IDENTITY_RENAMED = "identity.renamed"
    IDENTITY_MERGED = "identity.merged"
    IDENTITY_DELETED = "identity.deleted"
    IDENTITY_EXPIRED = "identity.expired"
    IDENTITY_EXPORTED = "identity.exported"
    FACE_MOVED = "face.moved"
    FACE_DELETED = "face.deleted"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_MERGED = "group.merged"
    GROUP_SPLIT = "group.split"
    GROUP_DELETED = "group.deleted"
    COLLECTION_CREATED = "collection.created"
    COLLECTION_CHANGED = "collection.changed"
    COLLECTION_CLEARED = "collection.cleared"
    COLLECTION_DELETED = "collection.deleted"
    COLLECTION_RENAMED = "collection.renamed"
    COLLECTION_SWITCHED = "collection.switched"
    COLLECTION_EXPORTED = "collection.exported"
    COLLECTION_IMPORTED = "collection.imported"
    COLLECTION_TEMPLATES_DISCARDED = "collection.templates_discarded"
    REVIEW_OPENED = "review.opened"
    REVIEW_DECIDED = "review.decided"
    REVIEW_EXPIRED = "review.expired"
    PRESENTATION_REFUSED = "presentation.refused"
    RULE_CREATED = "sighting_rule.created"
    RULE_CHANGED = "sighting_rule.changed"
    RULE_DELETED = "sighting_rule.deleted"
    DESTINATION_CREATED = "destination.created"
    DESTINATION_CHANGED = "destination.changed"
    DESTINATION_DELETED = "destination.deleted"
    DESTINATION_ROTATED = "destination.rotated"
    DESTINATION_REPLAYED = "destination.replayed"
    CAMERA_CREATED = "watched_camera.created"
    CAMERA_CHANGED = "watched_camera.changed"
    CAMERA_DELETED = "watched_camera.deleted"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"
    JOB_CREATED = "job.created"
    JOB_CANCELLED = "job.cancelled"
    JOB_FINISHED = "job.finished"
    JOB_DOWNLOADED = "job.downloaded"
    DATABASE_BACKED_UP = "database.backed_up"
    DATABASE_BACKUP_DOWNLOADED = "database.backup_downloaded"
    DATABASE_BACKUP_DELETED = "database.backup_deleted"
    DATABASE_RESTORED = "database.restored"
    DATA_KEY_CREATED = "data_key.created"
    DATA_KEY_DELETED = "data_key.deleted"
    DATABASE_CLOSED = "database.closed"
    MASTER_KEY_CHANGED = "master_key.changed"


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor: name and id of an API key, "anonymous" without keys, "cli" for commands and the start."""

    name: str
    key_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """The position of an appended line."""

    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the trail. `subject` is the object of the action: an identity's id, a key's name."""

    seq: int
    at: datetime
    actor: str
    key_id: str | None
    request_id: str | None
    action: str
    collection: str | None
    subject: str | None
    detail: Mapping[str, Any]
    previous: str

    def content(self) -> dict[str, Any]:
        """Return the hashed content as JSON values."""
        return {
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "key_id": self.key_id,
            "request_id": self.request_id,
            "action": self.action,
            "collection": self.collection,
            "subject": self.subject,
            "detail": dict(self.detail),
            "previous": self.previous,
        }

    def sha256(self) -> str:
        """Return the SHA-256 of the content as JSON with sorted names, no spaces, ASCII."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_IS_HEAD = AuditHeadTable.id == select(func.min(AuditHeadTable.id)).scalar_subquery()
_CLI = Actor("cli")
_actor: ContextVar[Actor] = ContextVar("audit_actor", default=_CLI)


def actor() -> Actor:
    """Return the actor of the current context."""
    return _actor.get()


@contextmanager
def acting(who: Actor) -> Iterator[None]:
    """Set the actor inside a `with` block, also for threads started with a copy of the context."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


def append(
    transaction: Session | Connection,
    action: Action,
    *,
    collection: str | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Noted:
    """Record a transaction's change; call it last. `detail` must not contain biometric data or names of people."""
    head = transaction.execute(  # locks the head
        update(AuditHeadTable)
        .where(_IS_HEAD)
        .values(seq=AuditHeadTable.seq + 1)
        .returning(AuditHeadTable.seq, AuditHeadTable.sha256)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if head is None:
        raise TrailBroken("the audit trail has no head row, so no change is possible; see arcid audit verify")
    who = _actor.get()
    entry = Entry(
        head.seq,
        datetime.now(UTC),
        who.name,
        who.key_id,
        who.request_id,
        action.value,
        collection,
        subject,
        dict(detail or {}),
        head.sha256,
    )
    sha256 = entry.sha256()
    row = {**entry.content(), "at": entry.at, "sha256": sha256}
    transaction.execute(insert(AuditTable).values(row))
    moved = update(AuditHeadTable).where(_IS_HEAD).values(sha256=sha256).execution_options(synchronize_session=False)
    transaction.execute(moved)
    return Noted(entry.seq, sha256)
