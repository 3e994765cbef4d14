"""The deliveries of destinations, as callers see them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, and_, func, select, update
from sqlalchemy.orm import Session

from app.database import audit, clock, outbox
from app.database.audit import Action
from app.database.delivery_tables import DeliveryTable
from app.database.event_table import EventTable
from app.database.outbox import EventKind, NewEvent
from app.notify.delivery import DeliveryRecord, DeliveryState
from app.notify.destination import Destination
from app.notify.lanes import open_lanes
from app.types import Page


@dataclass(frozen=True, slots=True)
class Backlog:
    """The deliveries that wait in all destinations. `oldest`: when the oldest one was queued; None without one."""

    pending: int
    dead: int
    oldest: datetime | None


class DeliveryLog:
    """Lists deliveries and queues dead letters again."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def page(
        self, destination: Destination, *, state: DeliveryState | None = None, after: int, limit: int
    ) -> Page[DeliveryRecord]:
        """Return a page of a destination's deliveries, oldest first, only those in a state if given."""
        table = DeliveryTable
        query = (
            select(table, EventTable.event_id, EventTable.kind)
            .join(EventTable, EventTable.id == table.event_key)
            .where(table.destination_key == destination.key, table.id > after)
        )
        if state is not None:
            query = query.where(table.state == state.value)
        with Session(self._reading) as session:
            rows = session.execute(query.order_by(table.id).limit(limit + 1)).all()
        records = [_record(*row) for row in rows[:limit]]
        return Page(records, records[-1].key if len(rows) > limit else None)

    def replay(self, destination: Destination, event_id: str | None = None) -> int:
        """Queue all dead letters of a destination again, or the one of an event; return their number."""
        table = DeliveryTable
        which = and_(table.destination_key == destination.key, table.state == DeliveryState.DEAD.value)
        if event_id is not None:
            event = select(EventTable.id).where(EventTable.event_id == event_id).scalar_subquery()
            which = and_(which, table.event_key == event)
        with Session(self._writing) as session, session.begin():
            now = clock.now(session)
            fresh = {"state": DeliveryState.PENDING.value, "attempts": 0, "queued_at": now, "next_at": None}
            replayed = update(table).where(which).values(fresh).returning(table.key)
            keys = session.scalars(replayed.execution_options(synchronize_session=False)).all()
            if keys:
                open_lanes(session, {(destination.key, key) for key in keys}, now)
                detail = {"deliveries": len(keys)}
                audit.append(session, Action.DESTINATION_REPLAYED, subject=destination.destination_id, detail=detail)
            return len(keys)

    def test(self, destination: Destination) -> str:
        """Queue a test event for a destination, and return the event's id."""
        key = f"test:{destination.destination_id}"
        event = NewEvent(EventKind.TEST, key, {"text": "hello from ArcID"}, send_to=[destination.destination_id])
        with Session(self._writing) as session, session.begin():
            return outbox.append(session, event)[0]

    def backlog(self) -> Backlog:
        """Return the number of deliveries that wait in all destinations, and of dead letters."""
        table = DeliveryTable
        counted = select(table.state, func.count(), func.min(table.queued_at)).group_by(table.state)
        unfinished = (DeliveryState.PENDING.value, DeliveryState.DEAD.value)
        with Session(self._reading) as session:
            rows = {row[0]: row for row in session.execute(counted.where(table.state.in_(unfinished)))}
        pending, dead = (rows.get(state) for state in unfinished)
        return Backlog(pending[1] if pending else 0, dead[1] if dead else 0, pending[2] if pending else None)


def _record(row: DeliveryTable, event_id: str, kind: str) -> DeliveryRecord:
    return DeliveryRecord(
        row.id,
        event_id,
        kind,
        row.key,
        row.position,
        DeliveryState(row.state),
        row.attempts,
        row.queued_at,
        row.next_at,
        row.status,
        row.error,
        row.delivered_at,
    )
