"""Reading events: in the order of their positions, and all events about a person."""

from collections.abc import Collection as AnyOf
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, Select, select

from app.database.event_images import open_image
from app.database.event_position_table import EventPositionTable
from app.database.event_table import EventTable
from app.database.outbox import EventKind, camera_key
from app.database.vault import Vault
from app.errors import EventImageUnknown
from app.notify.positions import assign_positions
from app.types import Page

_EVENTS = select(
    EventTable.position,
    EventTable.event_id,
    EventTable.kind,
    EventTable.key,
    EventTable.collection,
    EventTable.subject,
    EventTable.data,
    EventTable.at,
    EventTable.image.is_not(None).label("has_image"),
)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A stored event. `position`: its place in the order of all events; None if it has none yet."""

    position: int | None
    event_id: str
    kind: EventKind
    key: str
    collection: str | None
    subject: str | None
    data: Mapping[str, Any]
    at: datetime
    has_image: bool


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A choice of events. None does not restrict it.

    Attributes:
        kinds: The kinds.
        camera: Id of the camera.
        collections: The collections; events of no collection are then left out.
    """

    kinds: AnyOf[EventKind] | None = None
    camera: str | None = None
    collections: AnyOf[str] | None = None

    @property
    def key(self) -> str | None:
        """The ordering key of the camera's events."""
        return None if self.camera is None else camera_key(self.camera)

    def includes(self, event: LoggedEvent) -> bool:
        """Return whether an event is chosen."""
        if self.kinds is not None and event.kind not in self.kinds:
            return False
        if self.collections is not None and event.collection not in self.collections:
            return False
        return self.key is None or event.key == self.key


class EventLog:
    """Reads events."""

    def __init__(self, engine: Engine, vault: Vault | None = None) -> None:
        self._engine = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault or Vault(engine)

    def end(self) -> int:
        """Return the position of the newest event, even if it was deleted; 0 if there was no event yet."""
        with self._reading.connect() as connection:
            return connection.scalar(select(EventPositionTable.last).order_by(EventPositionTable.id)) or 0

    def page(
        self, chosen: EventFilter, *, after: int = 0, limit: int, is_newest_first: bool = False
    ) -> Page[LoggedEvent]:
        """Return events after a position in ascending order, or before it in descending order (0: from the newest)."""
        assign_positions(self._engine)
        position = EventTable.position
        query = _where(_EVENTS.where(position.is_not(None)), chosen)
        if is_newest_first:
            query = query.order_by(position.desc())
            query = query.where(position < after) if after else query
        else:
            query = query.order_by(position).where(position > after)
        with self._reading.connect() as connection:
            found = [_event(row) for row in connection.execute(query.limit(limit + 1))]
        return Page(found[:limit], found[limit - 1].position if len(found) > limit else None)

    def about(self, collection: str, identity_id: str) -> Sequence[LoggedEvent]:
        """Return all events about a person, the oldest first."""
        about = (EventTable.collection == collection) & (EventTable.subject == identity_id)
        with self._reading.connect() as connection:
            return [_event(row) for row in connection.execute(_EVENTS.where(about).order_by(EventTable.id))]

    def image(self, event_id: str, collections: AnyOf[str] | None = None) -> bytes:
        """Return the JPEG of an event.

        Raises EventImageUnknown if it has none, it cannot be opened, or the event belongs to none of `collections`
        (None: all).
        """
        query = select(EventTable.image).where(EventTable.event_id == event_id)
        if collections is not None:
            query = query.where(EventTable.collection.in_(sorted(collections)))
        with self._reading.connect() as connection:
            stored = connection.scalar(query)
        image = None if stored is None else open_image(self._vault, event_id, stored)
        if image is None:
            raise EventImageUnknown(f"the event {event_id!r} has no image")
        return image


def _where(query: Select[*tuple[Any, ...]], chosen: EventFilter) -> Select[*tuple[Any, ...]]:
    if chosen.kinds is not None:
        query = query.where(EventTable.kind.in_(sorted(chosen.kinds)))
    if chosen.key is not None:
        query = query.where(EventTable.key == chosen.key)
    if chosen.collections is not None:
        query = query.where(EventTable.collection.in_(sorted(chosen.collections)))
    return query


def _event(row: Row[*tuple[Any, ...]]) -> LoggedEvent:
    return LoggedEvent(
        row.position,
        row.event_id,
        EventKind(row.kind),
        row.key,
        row.collection,
        row.subject,
        row.data,
        row.at,
        row.has_image,
    )
