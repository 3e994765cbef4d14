from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from app.database.delivery_tables import DeliveryTable
from app.database.outbox import EventKind
from app.notify.positions import assign_positions
from tests.notify.receivers import append, dispatch, new_destination


def queued(engine, destination):
    """Return the positions that are queued for a destination."""
    query = select(DeliveryTable.position).where(DeliveryTable.destination_key == destination.key)
    with engine.connect() as connection:
        return list(connection.scalars(query.order_by(DeliveryTable.position)))


def test_every_event_is_queued_once_for_each_destination(engine):
    first, second = new_destination(engine), new_destination(engine)
    append(engine, 1, 2)
    append(engine, 3, key="camera:yard")
    assert (dispatch(engine), dispatch(engine)) == (3, 0)
    assert queued(engine, first) == queued(engine, second) == [1, 2, 3]


def test_a_destination_gets_the_kinds_and_collections_that_it_wants(engine):
    unknown = new_destination(engine, kinds=[EventKind.PERSON_UNKNOWN])
    staff = new_destination(engine, collections=["staff"])
    off = new_destination(engine, is_enabled=False)
    append(engine, 1, kind=EventKind.PERSON_UNKNOWN, collection="guests")
    append(engine, 2, kind=EventKind.PERSON_RECOGNISED, collection="staff")
    append(engine, 3, kind=EventKind.CAMERA_LOST)
    append(engine, 4, kind=EventKind.TEST, send_to=[staff.destination_id, off.destination_id])
    append(engine, 5, collection="guests", send_to=[unknown.destination_id, staff.destination_id])  # by a rule
    assert dispatch(engine) == 5
    assert (queued(engine, unknown), queued(engine, staff), queued(engine, off)) == ([1, 5], [2, 4], [])


def test_a_new_destination_gets_no_earlier_events(engine):
    append(engine, 1)
    dispatch(engine)
    late = new_destination(engine)
    append(engine, 2)
    dispatch(engine)
    assert queued(engine, late) == [2]


def test_events_that_had_a_position_before_are_queued(engine):
    destination = new_destination(engine)
    append(engine, 1, 2)
    assert assign_positions(engine) == 2  # the process died before it queued them
    assert dispatch(engine) == 2
    assert queued(engine, destination) == [1, 2]


def test_replicas_that_dispatch_at_once_queue_each_event_once(engine):
    destination = new_destination(engine)
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(append, engine, each) for each in range(20)]
        dispatching = [threads.submit(dispatch, engine) for _ in range(10)]
        for each in writing + dispatching:
            each.result()
    while dispatch(engine):
        pass
    assert queued(engine, destination) == list(range(1, 21))
