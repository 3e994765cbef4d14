"""The dispatcher: queues the deliveries of committed events, in the order of their positions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Row, insert, select
from sqlalchemy.orm import Session

from app.database import clock
from app.database.delivery_tables import DeliveryHeadTable, DeliveryTable, DestinationTable
from app.database.event_table import EventTable
from app.notify.delivery import DeliveryState
from app.notify.destination import Destination
from app.notify.destination_rows import destination_of
from app.notify.lanes import open_lanes
from app.notify.positions import assign_positions

_AT_ONCE = 500


class Dispatcher:
    """Queues each event once for each destination. Replicas take turns by the lock of a row."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def dispatch(self) -> int:
        """Give new events their positions, queue those without deliveries, and return the number of the latter.

        At most 500 at a time. Raises DatabaseUnavailable.
        """
        assign_positions(self._writing)
        head = select(DeliveryHeadTable.position).limit(1).scalar_subquery()
        with self._reading.connect() as connection:  # usually nothing is new, and this read blocks no writer
            if connection.scalar(select(EventTable.id).where(EventTable.position > head).limit(1)) is None:
                return 0
        with Session(self._writing) as session, session.begin():
            return _queue_next(session)


def _queue_next(session: Session) -> int:
    # All transactions lock in this order: head, destinations, events, lanes.
    head = session.scalars(select(DeliveryHeadTable).limit(1).with_for_update()).one()
    locked = select(DestinationTable).order_by(DestinationTable.id).with_for_update(read=True, key_share=True)
    destinations = [destination_of(row) for row in session.scalars(locked)]
    columns = (EventTable.id, EventTable.position, EventTable.kind, EventTable.key, EventTable.collection)
    query = select(*columns, EventTable.send_to).where(EventTable.position > head.position)
    first = query.order_by(EventTable.position).limit(_AT_ONCE)
    # The lock keeps an erasure from deleting the events that are being queued.
    events = session.execute(first.with_for_update(read=True, key_share=True)).all()
    if events:
        _queue(session, events, destinations)
        head.position = int(events[-1].position)
    return len(events)


def _queue(session: Session, events: Sequence[Row[*tuple[Any, ...]]], destinations: Sequence[Destination]) -> None:
    now = clock.now(session)
    rows = [
        {
            "event_key": event.id,
            "destination_key": each.key,
            "key": event.key,
            "position": event.position,
            "state": DeliveryState.PENDING.value,
            "attempts": 0,
            "queued_at": now,
        }
        for event in events
        for each in destinations
        if each.wants(event.kind, event.collection, event.send_to)
    ]
    if rows:
        session.execute(insert(DeliveryTable), rows)
        open_lanes(session, {(row["destination_key"], row["key"]) for row in rows}, now)
