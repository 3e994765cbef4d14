"""The queue of deliveries: the next one of a lane, and the outcome of each attempt."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from app.database import audit, clock
from app.database.audit import Action, Actor, acting
from app.database.delivery_tables import DeliveryTable, DestinationTable
from app.database.event_images import open_image
from app.database.event_table import EventTable
from app.database.vault import Vault
from app.notify.delivery import RETRY_WINDOW, Delivery, DeliveryFailed, DeliveryState, OutgoingEvent, retry_delay
from app.notify.destination_rows import destination_of, opened_access
from app.notify.lanes import Lane, Lanes, is_pending_in

_ACTOR = Actor("delivery")
_LONGEST_REASON = 200


class DeliveryQueue:
    """The deliveries of one process. Every method is one transaction."""

    def __init__(self, engine: Engine, vault: Vault, *, lease: timedelta) -> None:
        """`lease` is the time after which another process continues the work of one that died."""
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault
        self.lanes = Lanes(engine, owner=str(uuid4()), lease=lease)

    def next(self, lane: Lane) -> Delivery | None:
        """Return the first pending delivery of a lane; None without one, or if the destination is disabled.

        Raises EncryptionError if the destination's secrets do not open.
        """
        query = (
            select(DeliveryTable, EventTable, DestinationTable)
            .join(EventTable, EventTable.id == DeliveryTable.event_key)
            .join(DestinationTable, DestinationTable.id == DeliveryTable.destination_key)
            .where(is_pending_in(lane), DestinationTable.is_enabled)
        )
        with Session(self._reading) as session:
            found = session.execute(query.order_by(DeliveryTable.position).limit(1)).one_or_none()
            if found is None:
                return None
            row, event, destination = found
            now, until = clock.now(session), destination.previous_until
            access = opened_access(self._vault, destination, is_rotating=until is not None and now < until)
            return Delivery(
                row.id,
                self._outgoing(event, has_image=destination.is_image_sent),
                destination_of(destination),
                access,
                row.attempts + 1,
                row.queued_at,
            )

    def delivered(self, lane: Lane, delivery: Delivery, status: int | None = None) -> bool:
        """Note a success and extend the lease; return False if another process has taken the lane."""
        with Session(self._writing) as session, session.begin():
            now = clock.now(session)
            values = {"state": DeliveryState.DELIVERED.value, "delivered_at": now, "status": status}
            self._note(session, delivery, {**values, "next_at": None, "error": None})
            return self.lanes.extend(session, lane)

    def failed(self, lane: Lane, delivery: Delivery, failure: DeliveryFailed) -> DeliveryState:
        """Note a failure and return the delivery's state: pending, or dead after a day of failures.

        The lane waits until the next attempt; after a dead letter, its next delivery is due at once.
        """
        with Session(self._writing) as session, session.begin():
            now = clock.now(session)
            until = now + retry_delay(delivery.attempt, failure.retry_after_s)
            is_dead = now - delivery.queued_at >= RETRY_WINDOW and not failure.is_gone
            state = DeliveryState.DEAD if is_dead else DeliveryState.PENDING
            values = {"state": state.value, "status": failure.status, "error": failure.reason[:_LONGEST_REASON]}
            self._note(session, delivery, {**values, "next_at": None if is_dead else until})
            self.lanes.postpone(session, lane, now if is_dead else until)
            if failure.is_gone:
                _disable(session, delivery)
            return state

    @staticmethod
    def _note(session: Session, delivery: Delivery, values: dict[str, object]) -> None:
        is_it = DeliveryTable.id == delivery.key, DeliveryTable.state == DeliveryState.PENDING.value
        noted = update(DeliveryTable).where(*is_it).values(attempts=delivery.attempt, **values)
        session.execute(noted.execution_options(synchronize_session=False))

    def _outgoing(self, event: EventTable, *, has_image: bool) -> OutgoingEvent:
        image = None
        if has_image and event.image is not None:
            image = open_image(self._vault, event.event_id, event.image)
        return OutgoingEvent(
            event.event_id, event.kind, event.key, event.position or 0, event.collection, event.data, event.at, image
        )


def _disable(session: Session, delivery: Delivery) -> None:
    destination = delivery.destination
    row = session.get(DestinationTable, destination.key, with_for_update={"key_share": True})
    if row is not None and row.is_enabled:
        row.is_enabled = False
        session.flush()
        with acting(_ACTOR):
            detail = {"is_enabled": False, "status": 410}
            audit.append(session, Action.DESTINATION_CHANGED, subject=destination.destination_id, detail=detail)
