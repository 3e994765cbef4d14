"""Schemas of destinations of events and of their deliveries. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.api.schemas.fields import StrictSchema
from app.api.schemas.resources import Cursor
from app.database.outbox import EventKind
from app.names import CollectionName
from app.notify.delivery import DeliveryRecord, DeliveryState
from app.notify.destination import Destination, DestinationKind, NewDestination

_MOST_COLLECTIONS = 1000
_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
DestinationId = Annotated[str, StringConstraints(min_length=36, max_length=36, pattern=_ID)]
"""Id of a destination, in a path."""
EventId = Annotated[str, StringConstraints(min_length=36, max_length=36, pattern=_ID)]
DestinationUrl = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    Field(description="Address of the receiver. It may contain credentials; answers show its origin only."),
]
Kinds = Annotated[
    list[EventKind] | None,
    Field(min_length=1, max_length=len(EventKind), description="Kinds of the events to deliver. Null: all."),
]
Collections = Annotated[
    list[CollectionName] | None,
    Field(
        min_length=1,
        max_length=_MOST_COLLECTIONS,
        description="Collections whose events are delivered. Null: all events, also those of no collection.",
    ),
]
IsImageSent = Annotated[bool, Field(description="Deliver the images of faces that events have, in base64.")]
IsEnabled = Annotated[bool, Field(description="False: nothing is delivered, and new events are not queued.")]


class DestinationRequest(StrictSchema):
    """A new destination of events."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "webhook", "url": "https://hooks.example/arcid", "kinds": ["person.recognised"]}]
        }
    )

    kind: DestinationKind
    url: DestinationUrl
    kinds: Kinds = None
    collections: Collections = None
    is_enabled: IsEnabled = True
    is_image_sent: IsImageSent = False

    def value(self) -> NewDestination:
        """Return the value."""
        return NewDestination(self.kind, self.url, self.kinds, self.collections, self.is_enabled, self.is_image_sent)


class DestinationChange(StrictSchema):
    """Changes of a destination; missing fields keep their values."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": False}], "minProperties": 1})

    url: Annotated[DestinationUrl | None, Field(description="Another address for the same kind. Null: unchanged.")] = (
        None
    )
    kinds: Kinds = None
    collections: Collections = None
    is_enabled: Annotated[bool | None, Field(description="Null: unchanged.")] = None
    is_image_sent: Annotated[bool | None, Field(description="Null: unchanged.")] = None

    @model_validator(mode="after")
    def _has_something(self) -> "DestinationChange":
        if not self.model_fields_set:
            raise ValueError("send at least one field to change")
        return self

    def changes(self) -> dict[str, Any]:
        """Return the changed members, without the URL."""
        sent = {name: getattr(self, name) for name in self.model_fields_set - {"url"}}
        return {name: value for name, value in sent.items() if value is not None or name in {"kinds", "collections"}}


class DestinationSchema(BaseModel):
    """A destination of events."""

    destination_id: str
    kind: DestinationKind
    origin: Annotated[str, Field(description="Scheme, host and port of the URL.")]
    kinds: Annotated[list[EventKind] | None, Field(description="Null: all.")]
    collections: Annotated[list[str] | None, Field(description="Null: all.")]
    is_enabled: bool
    is_image_sent: bool
    previous_until: Annotated[datetime | None, Field(description="Until then, the previous secret is also valid.")]
    created_at: datetime

    @classmethod
    def of(cls, destination: Destination) -> "DestinationSchema":
        """Return the schema of a destination."""
        return cls(
            destination_id=destination.destination_id,
            kind=destination.kind,
            origin=destination.origin,
            kinds=None if destination.kinds is None else sorted(destination.kinds),
            collections=None if destination.collections is None else sorted(destination.collections),
            is_enabled=destination.is_enabled,
            is_image_sent=destination.is_image_sent,
            previous_until=destination.previous_until,
            created_at=destination.created_at,
        )


class DestinationWithSecret(DestinationSchema):
    """A destination with its new secret."""

    secret: Annotated[
        str | None, Field(description="Verifies the signatures of a webhook; it is never shown again. Null for MQTT.")
    ]

    @classmethod
    def made(cls, destination: Destination, secret: str | None) -> "DestinationWithSecret":
        """Return the schema of a destination and its secret."""
        return cls(**DestinationSchema.of(destination).model_dump(), secret=secret)


class DestinationsSchema(BaseModel):
    """Destinations of events, the oldest first."""

    destinations: list[DestinationSchema]


class DeliverySchema(BaseModel):
    """The delivery of an event to a destination."""

    event_id: Annotated[str, Field(description="The event; also the idempotency id that the receiver gets.")]
    kind: EventKind
    key: Annotated[str, Field(description="Ordering key: events of a key arrive in order.")]
    position: Annotated[int, Field(description="Place in the stream of all events.")]
    state: DeliveryState
    attempts: int
    queued_at: datetime
    next_at: Annotated[datetime | None, Field(description="Time of the next attempt after a failure.")]
    status: Annotated[int | None, Field(description="HTTP status of the last answer.")]
    error: Annotated[str | None, Field(description="Reason of the last failure.")]
    delivered_at: datetime | None

    @classmethod
    def of(cls, record: DeliveryRecord) -> "DeliverySchema":
        """Return the schema of a delivery."""
        return cls(
            event_id=record.event_id,
            kind=EventKind(record.kind),
            key=record.ordering_key,
            position=record.position,
            state=record.state,
            attempts=record.attempts,
            queued_at=record.queued_at,
            next_at=record.next_at,
            status=record.status,
            error=record.error,
            delivered_at=record.delivered_at,
        )


class DeliveriesPage(BaseModel):
    """Deliveries to a destination, the oldest first."""

    deliveries: list[DeliverySchema]
    next_cursor: Cursor


class QueuedTest(BaseModel):
    """A test event that is queued."""

    event_id: str


class Replayed(BaseModel):
    """Dead letters that are queued again."""

    deliveries: Annotated[int, Field(description="Their number.")]
