"""Positions of events: their order in the stream of all events, without gaps, given after their commit.

Ids come from a sequence, so an event with a lower id may be committed later. A reader that remembered ids would skip
it; a reader that remembers positions does not.
"""

from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.orm import Session

from app.database.event_position_table import EventPositionTable
from app.database.event_table import EventTable

_AT_ONCE = 1000
_IS_FIRST = EventPositionTable.id == select(func.min(EventPositionTable.id)).scalar_subquery()


def assign_positions(engine: Engine, most: int = _AT_ONCE) -> int:
    """Give the next positions to at most `most` committed events that have none; return their number.

    Replicas may call this at the same time: the row of the last position is locked.
    """
    waiting = select(EventTable.id).where(EventTable.position.is_(None)).order_by(EventTable.id).limit(most)
    with engine.execution_options(is_reader=True).connect() as connection:
        if connection.scalar(waiting.limit(1)) is None:  # most calls end here and lock nothing
            return 0
    with Session(engine) as session, session.begin():
        lock = select(EventPositionTable.last).where(_IS_FIRST).with_for_update()
        last = session.scalar(lock)
        if last is None:  # somebody has emptied the table
            last = session.scalar(select(func.coalesce(func.max(EventTable.position), 0))) or 0
            session.execute(insert(EventPositionTable).values(last=last))
        new = session.scalars(waiting).all()  # read after taking the lock
        if new:
            session.execute(
                update(EventTable), [{"id": key, "position": last + at} for at, key in enumerate(new, start=1)]
            )
            moved = update(EventPositionTable).where(_IS_FIRST).values(last=last + len(new))
            session.execute(moved.execution_options(synchronize_session=False))
        return len(new)
