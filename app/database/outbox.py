"""The transactional outbox: an event is committed with the change that it reports, so neither exists without the other.

`app.notify` delivers the events: to webhooks, MQTT and open pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert
from sqlalchemy.orm import Session

from app.database.event_table import EventTable


class EventKind(StrEnum):
    """The kind of an event."""

    PERSON_RECOGNISED = "person.recognised"
    PERSON_POSSIBLE = "person.possible"
    PERSON_UNKNOWN = "person.unknown"
    ATTACK_SUSPECTED = "attack.suspected"
    WATCHLIST_HIT = "watchlist.hit"
    CAMERA_LOST = "camera.lost"
    CAMERA_BACK = "camera.back"
    ENROLLMENT_ADDED = "enrollment.added"
    ENROLLMENT_REMOVED = "enrollment.removed"
    REVIEW_OPENED = "review.opened"
    REVIEW_DECIDED = "review.decided"
    JOB_FINISHED = "job.finished"
    TEST = "test"


def camera_key(camera_id: str) -> str:
    """Return the ordering key of a camera's events."""
    return f"camera:{camera_id}"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append.

    Attributes:
        kind: The kind.
        key: Ordering key, for example `camera:door`. Events of one key are delivered in the order of their commits if
            their transactions exclude each other, as those of one collection or of one camera do.
        data: JSON values for receivers; no vectors. May contain the id and name of `subject`.
        collection: The collection concerned; receivers may be restricted to some.
        subject: The identity concerned. Its events are deleted with it.
        send_to: Ids of the destinations; None: every destination that subscribes to the kind.
        image: A JPEG of a face, sealed by `app.database.event_images` for `event_id`.
        event_id: The id of the event.
    """

    kind: EventKind
    key: str
    data: Mapping[str, Any] = field(default_factory=dict)
    collection: str | None = None
    subject: str | None = None
    send_to: Sequence[str] | None = None
    image: bytes | None = None
    event_id: str = field(default_factory=lambda: str(uuid4()))


def append(transaction: Session | Connection, *events: NewEvent) -> list[str]:
    """Append events in a transaction and return their ids; they are delivered at least once after its commit.

    Append none if the engine has the execution option `has_events=False`.
    """
    engine = transaction.get_bind() if isinstance(transaction, Session) else transaction.engine
    if not engine.get_execution_options().get("has_events", True):
        return []
    now = datetime.now(UTC)
    new = [
        {
            "event_id": each.event_id,
            "kind": each.kind,
            "key": each.key,
            "collection": each.collection,
            "subject": each.subject,
            "data": dict(each.data),
            "send_to": None if each.send_to is None else list(each.send_to),
            "image": each.image,
            "at": now,
        }
        for each in events
    ]
    if new:
        transaction.execute(insert(EventTable), new)
    return [each.event_id for each in events]
