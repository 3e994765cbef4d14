"""Deliveries: one event for one destination, and the senders that deliver them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from app.notify.destination import Destination, DestinationAccess

RETRY_WINDOW = timedelta(hours=24)
"""A delivery that fails so long after it was queued becomes a dead letter."""

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 3600.0


class DeliveryState(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """A dead letter: it is not sent again unless it is replayed."""


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event as receivers see it.

    Attributes:
        event_id: Unique id. A receiver that sees it again ignores the event.
        kind: The kind.
        key: Ordering key.
        position: Place in the stream of all events.
        collection: The collection concerned.
        data: Further values, by kind.
        at: Time of the event.
        image: JPEG of a face; None without one, or if the destination gets no images.
    """

    event_id: str
    kind: str
    key: str
    position: int
    collection: str | None
    data: Mapping[str, Any]
    at: datetime
    image: bytes | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event to send to a destination. `attempt` counts from 1."""

    key: int
    event: OutgoingEvent
    destination: Destination
    access: DestinationAccess
    attempt: int
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """The state of a delivery, as callers see it."""

    key: int
    event_id: str
    kind: str
    ordering_key: str
    position: int
    state: DeliveryState
    attempts: int
    queued_at: datetime
    next_at: datetime | None
    status: int | None
    error: str | None
    delivered_at: datetime | None


class DeliveryFailed(Exception):
    """A receiver did not take an event.

    Attributes:
        reason: What failed, without URLs and secrets.
        status: HTTP status of the answer, if there was one.
        retry_after_s: Seconds that the receiver asks to wait.
        is_gone: Whether the receiver wants no events any more, which disables the destination.
    """

    def __init__(
        self, reason: str, *, status: int | None = None, retry_after_s: float | None = None, is_gone: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_gone = is_gone


class Sender(Protocol):
    """Delivers events by one protocol. Several threads use it at the same time."""

    def origin(self, url: str) -> str:
        """Return scheme, host and port of a URL; raises UrlNotAllowed if events cannot be sent there."""

    def send(self, delivery: Delivery) -> None:
        """Return when the receiver has taken the event; raises DeliveryFailed."""


def retry_delay(attempts: int, retry_after_s: float | None = None) -> timedelta:
    """Return the time until the next attempt: from about 1 s, doubling up to about an hour.

    Args:
        attempts: Attempts that have failed, at least 1.
        retry_after_s: Seconds that the receiver asks to wait; the delay is not shorter, but never above a day.
    """
    delay = min(_FIRST_DELAY_S * 2 ** min(attempts - 1, 30), _LONGEST_DELAY_S)
    jittered = delay * random.uniform(0.75, 1.25)
    return timedelta(seconds=min(max(jittered, retry_after_s or 0), RETRY_WINDOW.total_seconds()))
