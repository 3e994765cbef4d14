from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import delete, select, update

from app.database import outbox
from app.database.event_position_table import EventPositionTable
from app.database.event_table import EventTable
from app.database.outbox import EventKind, NewEvent
from app.notify.positions import assign_positions


def write(engine, events):
    with engine.begin() as connection:
        outbox.append(connection, *(NewEvent(EventKind.TEST, "test") for _ in range(events)))


def positions(engine):
    with engine.connect() as connection:
        return list(connection.scalars(select(EventTable.position).order_by(EventTable.id)))


def test_positions_follow_the_order_of_the_events(engine):
    assert assign_positions(engine) == 0
    write(engine, 3)
    assert positions(engine) == [None] * 3
    assert (assign_positions(engine, most=2), assign_positions(engine), assign_positions(engine)) == (2, 1, 0)
    assert positions(engine) == [1, 2, 3]


def test_the_position_of_a_deleted_event_is_not_given_again(engine):
    write(engine, 2)
    assign_positions(engine)
    with engine.begin() as connection:
        connection.execute(delete(EventTable))
    write(engine, 1)
    assign_positions(engine)
    assert positions(engine) == [3]


def test_a_lost_counter_continues_after_the_last_event(engine):
    write(engine, 2)
    assign_positions(engine)
    with engine.begin() as connection:
        connection.execute(delete(EventPositionTable))
        connection.execute(update(EventTable).values(position=EventTable.position + 10))
    write(engine, 1)
    assign_positions(engine)
    assert positions(engine) == [11, 12, 13]


def test_replicas_that_assign_at_once_leave_no_gap_and_give_none_twice(engine):
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, engine, 3) for _ in range(20)]
        assigning = [threads.submit(assign_positions, engine, 7) for _ in range(20)]
        for each in writing + assigning:
            each.result()
    while assign_positions(engine):
        pass
    assert sorted(positions(engine)) == list(range(1, 61))
