import pytest
from sqlalchemy import select

from app.database import outbox
from app.database.event_table import EventTable
from app.database.outbox import EventKind, NewEvent

HIT = NewEvent(
    EventKind.PERSON_RECOGNISED, "camera:door", {"camera": "door"}, collection="staff", subject="ada", send_to=["hook"]
)


def stored(engine):
    with engine.connect() as connection:
        return connection.execute(select(EventTable.__table__).order_by(EventTable.id)).all()


def test_events_are_committed_with_their_transaction(engine):
    with engine.begin() as connection:
        ids = outbox.append(connection, HIT, NewEvent(EventKind.TEST, "test"))
    first, second = stored(engine)
    assert [first.event_id, second.event_id] == ids
    assert (first.kind, first.key, first.collection, first.subject) == (
        "person.recognised",
        "camera:door",
        "staff",
        "ada",
    )
    assert (first.data, first.send_to, first.position, first.image) == ({"camera": "door"}, ["hook"], None, None)
    assert (second.data, second.send_to, second.collection) == ({}, None, None)
    assert second.at >= first.at


def test_events_of_a_failed_transaction_do_not_exist(engine):
    def fail():
        with engine.begin() as connection:
            outbox.append(connection, HIT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert stored(engine) == []


def test_no_events_append_nothing(engine):
    with engine.begin() as connection:
        assert outbox.append(connection) == []
