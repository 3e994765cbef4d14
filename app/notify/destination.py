"""Destinations of events: values."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.database.outbox import EventKind


class DestinationKind(StrEnum):
    """The protocol of a destination."""

    WEBHOOK = "webhook"
    MQTT = "mqtt"


@dataclass(frozen=True, slots=True)
class NewDestination:
    """A destination to create.

    Attributes:
        kind: The protocol.
        url: Address of the receiver.
        kinds: Kinds of the events to deliver; None: all.
        collections: Collections whose events are delivered; None: all events, also those of no collection.
        is_enabled: Whether events are delivered now. While a destination is disabled, it misses all events.
        is_image_sent: Whether images of faces are delivered with their events.
    """

    kind: DestinationKind
    url: str
    kinds: Collection[EventKind] | None = None
    collections: Collection[str] | None = None
    is_enabled: bool = True
    is_image_sent: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """A stored destination, without its URL and secrets. `origin`: scheme, host and port of the URL."""

    key: int
    destination_id: str
    kind: DestinationKind
    origin: str
    kinds: frozenset[EventKind] | None
    collections: frozenset[str] | None
    is_enabled: bool
    is_image_sent: bool
    previous_until: datetime | None
    created_at: datetime

    def wants(self, kind: str, collection: str | None, send_to: Collection[str] | None) -> bool:
        """Return whether an event goes to this destination.

        Args:
            kind: The event's kind.
            collection: The event's collection, if it concerns one.
            send_to: Ids of the destinations that the event names, whatever kinds they subscribe to; None: it names
                none. They get no events of other collections than theirs.
        """
        if not self.is_enabled:
            return False
        is_its = self.collections is None or collection in self.collections
        if send_to is not None:  # tests are of no collection
            return self.destination_id in send_to and (is_its or collection is None)
        return is_its and (self.kinds is None or kind in self.kinds)


@dataclass(frozen=True, slots=True)
class DestinationAccess:
    """The URL and secrets of a destination. They stay out of logs, answers and errors.

    Attributes:
        url: Full URL, which may contain credentials.
        secret: Secret that signs events; None if the kind has none.
        previous_secret: Secret before the last rotation, while it is valid.
    """

    url: str
    secret: str | None = None
    previous_secret: str | None = None

    def __repr__(self) -> str:
        """Return a text without the contents, for tracebacks."""
        return "DestinationAccess(...)"
