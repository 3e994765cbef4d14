"""Erasure of events: with their person, with their collection, and at the end of their term.

Call the functions after the rows of the person or collection were deleted: a sighting that is recorded at the same time
holds a lock on them, so its events are found.
"""

from datetime import datetime

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from app.database.event_table import EventTable
from app.database.rule_tables import RuleCooldownTable

_AT_ONCE = 5000


def forget_person(session: Session, collection: str, identity_id: str) -> int:
    """Delete the events and cooldowns about a person; return the number of events."""
    _forget_cooldowns(session, collection, identity_id)
    about = (EventTable.collection == collection) & (EventTable.subject == identity_id)
    return len(session.execute(delete(EventTable).where(about).returning(EventTable.id)).all())


def forget_people(session: Session, collection: str) -> None:
    """Delete the events and cooldowns of a collection."""
    session.execute(delete(RuleCooldownTable).where(RuleCooldownTable.collection == collection))
    session.execute(delete(EventTable).where(EventTable.collection == collection))


def follow_person(session: Session, collection: str, identity_id: str, into: str) -> None:
    """Assign the events about a person to another id, after a rename or merge; their cooldowns end."""
    _forget_cooldowns(session, collection, identity_id)
    about = (EventTable.collection == collection) & (EventTable.subject == identity_id)
    moved = update(EventTable).where(about).values(subject=into)
    session.execute(moved.execution_options(synchronize_session=False))


def forget_old(engine: Engine, before: datetime) -> int:
    """Delete the events from before a moment, in blocks, and return their number."""
    old = select(EventTable.id).where(EventTable.at < before).order_by(EventTable.at).limit(_AT_ONCE)
    deleted = 0
    while True:
        with Session(engine) as session, session.begin():
            block = session.scalars(old).all()
            session.execute(delete(EventTable).where(EventTable.id.in_(block)))
        deleted += len(block)
        if len(block) < _AT_ONCE:
            return deleted


def forget_images(session: Session, before: datetime) -> None:
    """Delete the images of the events from before a moment; the events stay."""
    old = (EventTable.at < before) & EventTable.image.is_not(None)
    session.execute(update(EventTable).where(old).values(image=None).execution_options(synchronize_session=False))


def _forget_cooldowns(session: Session, collection: str, identity_id: str) -> None:
    about = (RuleCooldownTable.collection == collection) & (RuleCooldownTable.subject == identity_id)
    session.execute(delete(RuleCooldownTable).where(about))
