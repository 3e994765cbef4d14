"""Lanes: an ordering key with pending deliveries to one destination, leased by one worker at a time.

A lane exists while it has pending deliveries: the transaction that adds one also opens its lane, and a worker closes a
lane only while it locks it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select, update
from sqlalchemy.orm import Session

from app.database import clock
from app.database.delivery_tables import DeliveryLaneTable, DeliveryTable, DestinationTable
from app.database.upsert import insert_for
from app.notify.delivery import RETRY_WINDOW, DeliveryState

_MOST = 2
"""A time that lies more than this many times its longest delay ahead was set before the clock was set back."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A leased lane."""

    id: int
    destination_key: int
    key: str


def open_lanes(session: Session, lanes: Collection[tuple[int, str]], now: datetime) -> None:
    """Open the lanes of new deliveries, each given as destination and ordering key; those that exist stay as they are.

    It locks them all, so that no worker closes one before the commit.
    """
    opening = insert_for(session.get_bind(), DeliveryLaneTable).on_conflict_do_update(
        index_elements=("destination_key", "key"), set_={"next_at": DeliveryLaneTable.next_at}
    )
    rows = [{"destination_key": destination, "key": key, "next_at": now} for destination, key in sorted(lanes)]
    session.connection().execute(opening, rows)


class Lanes:
    """The lanes that one process leases (`owner`: its unique id)."""

    def __init__(self, engine: Engine, *, owner: str, lease: timedelta) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._owner = owner
        self._lease = lease

    def due(self) -> dict[int, int]:
        """Return the number of lanes that a worker may lease now, by the key of their destination."""
        with Session(self._reading) as session:
            counted = select(DeliveryLaneTable.destination_key, func.count()).join(DestinationTable)
            due = counted.where(DestinationTable.is_enabled, self._is_due(clock.now(session)))
            return dict(session.execute(due.group_by(DeliveryLaneTable.destination_key)).all())

    def lease(self, destination_key: int) -> Lane | None:
        """Lease the lane of a destination that has been due for longest; None if none is due."""
        with Session(self._writing) as session, session.begin():
            now = clock.now(session)
            enabled = select(DestinationTable.id).where(DestinationTable.is_enabled)
            is_its = (
                DeliveryLaneTable.destination_key == destination_key,
                DeliveryLaneTable.destination_key.in_(enabled),
            )
            due = select(DeliveryLaneTable).where(*is_its, self._is_due(now))
            first = due.order_by(DeliveryLaneTable.next_at, DeliveryLaneTable.id).limit(1)
            row = session.scalar(first.with_for_update(skip_locked=True))
            if row is None:
                return None
            row.owner, row.leased_until = self._owner, now + self._lease
            return Lane(row.id, row.destination_key, row.key)

    def extend(self, session: Session, lane: Lane) -> bool:
        """Extend the lease in a transaction; return False if another process has taken the lane."""
        values = {"leased_until": clock.now(session) + self._lease}
        extended = update(DeliveryLaneTable).where(self._is_own(lane)).values(values).returning(DeliveryLaneTable.id)
        return session.scalar(extended.execution_options(synchronize_session=False)) is not None

    def postpone(self, session: Session, lane: Lane, until: datetime) -> None:
        """Return the lane in a transaction, to be due at a moment."""
        values = {"owner": None, "leased_until": None, "next_at": until}
        postponed = update(DeliveryLaneTable).where(self._is_own(lane)).values(values)
        session.execute(postponed.execution_options(synchronize_session=False))

    def renew(self, lane: Lane) -> bool:
        """Extend the lease; return False if another process has taken the lane."""
        with Session(self._writing) as session, session.begin():
            return self.extend(session, lane)

    def close(self, lane: Lane) -> None:
        """Delete the lane; if a delivery was added since, return it instead."""
        with Session(self._writing) as session, session.begin():
            row = session.scalar(select(DeliveryLaneTable).where(self._is_own(lane)).with_for_update())
            # Only after locking: a transaction that adds a delivery locks the lane first.
            if row is None:
                return
            if session.scalar(select(DeliveryTable.id).where(is_pending_in(lane)).limit(1)) is None:
                session.delete(row)
            else:
                row.owner = row.leased_until = None

    def _is_due(self, now: datetime) -> ColumnElement[bool]:
        table = DeliveryLaneTable
        return and_(
            or_(table.next_at <= now, table.next_at > now + _MOST * RETRY_WINDOW),
            or_(
                table.leased_until.is_(None),
                table.leased_until <= now,
                table.leased_until > now + _MOST * self._lease,
            ),
        )

    def _is_own(self, lane: Lane) -> ColumnElement[bool]:
        return and_(DeliveryLaneTable.id == lane.id, DeliveryLaneTable.owner == self._owner)


def is_pending_in(lane: Lane) -> ColumnElement[bool]:
    """Return the condition that selects the pending deliveries of a lane."""
    return and_(
        DeliveryTable.destination_key == lane.destination_key,
        DeliveryTable.state == DeliveryState.PENDING.value,
        DeliveryTable.key == lane.key,
    )
