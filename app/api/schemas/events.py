"""Schemas of events."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.database.outbox import EventKind
from app.notify.event_log import LoggedEvent


class EventSchema(BaseModel):
    """An event."""

    id: Annotated[str, Field(description="Id of the event, the same for all receivers.")]
    position: Annotated[
        int | None, Field(description="Place in the order of all events. Null: not yet given, moments after the event.")
    ]
    kind: EventKind
    key: Annotated[str, Field(description="Events of one key, such as `camera:door`, come in the order of their time.")]
    collection: str | None
    data: Annotated[dict[str, Any], Field(description="Details of the event; docs/sightings.md lists the members.")]
    has_image: Annotated[bool, Field(description="Whether GET /events/{event_id}/image returns an image.")]
    at: datetime

    @classmethod
    def of(cls, event: LoggedEvent) -> "EventSchema":
        """Return the schema of an event."""
        return cls(
            id=event.event_id,
            position=event.position,
            kind=event.kind,
            key=event.key,
            collection=event.collection,
            data=dict(event.data),
            has_image=event.has_image,
            at=event.at,
        )


class EventsPage(BaseModel):
    """A page of events."""

    events: list[EventSchema]
    next_cursor: Annotated[str | None, Field(description="Cursor of the next page; null on the last one.")]
