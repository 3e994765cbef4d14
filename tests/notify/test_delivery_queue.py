from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from app.access.trail import Trail
from app.database.cipher import Master, new_secret
from app.database.delivery_tables import DeliveryLaneTable, DeliveryTable
from app.database.event_images import seal_image
from app.database.event_table import EventTable
from app.database.vault import Vault
from app.notify.delivery import DeliveryFailed, DeliveryState
from app.notify.delivery_log import DeliveryLog
from app.notify.destination_store import DestinationStore
from tests.notify.receivers import (
    FakeSender,
    age,
    append,
    dispatch,
    first,
    hurry,
    leased,
    new_destination,
    new_queue,
    send_due,
    waits,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def destination(engine):
    return new_destination(engine)


@pytest.fixture
def sender():
    return FakeSender()


def states(engine, destination):
    records = DeliveryLog(engine).page(destination, after=0, limit=100).items
    return [each.state.value for each in records]


def lanes(engine):
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(DeliveryLaneTable))


def test_events_of_a_key_are_sent_in_order_and_then_the_lane_is_closed(engine, destination, sender):
    append(engine, 1, 2, 3)
    dispatch(engine)
    send_due(new_queue(engine), destination, sender)
    assert sender.numbers() == [1, 2, 3]
    assert states(engine, destination) == ["delivered"] * 3
    assert lanes(engine) == 0


def test_a_failure_blocks_its_key_and_no_other(engine, destination, sender):
    append(engine, 1, 2)
    append(engine, 3, key="camera:yard")
    dispatch(engine)
    sender.failing["camera:door"] = DeliveryFailed("status 500", status=500)
    queue = new_queue(engine)
    send_due(queue, destination, sender)
    assert sender.numbers() == [3]
    record = DeliveryLog(engine).page(destination, after=0, limit=1).items[0]
    assert (record.state, record.attempts, record.status, record.error) == ("pending", 1, 500, "status 500")
    assert waits(record) > timedelta(seconds=0.5)
    sender.failing.clear()
    hurry(engine)
    send_due(queue, destination, sender)
    assert sender.numbers("camera:door") == [1, 2]
    assert [each.attempt for each in sender.sent] == [1, 2, 1]


def test_a_receiver_that_asks_to_wait_is_not_disturbed(engine, destination, sender):
    append(engine, 1)
    dispatch(engine)
    sender.failing["camera:door"] = DeliveryFailed("status 429", status=429, retry_after_s=600)
    send_due(new_queue(engine), destination, sender)
    record = DeliveryLog(engine).page(destination, after=0, limit=1).items[0]
    assert waits(record) >= timedelta(seconds=600)


def test_a_day_of_failures_makes_a_dead_letter_which_can_be_replayed(engine, destination, sender):
    event_id, _ = append(engine, 1, 2)
    dispatch(engine)
    age(engine, 24 * HOUR)
    queue = new_queue(engine)
    lane = leased(queue, destination)
    assert queue.failed(lane, first(queue, lane), DeliveryFailed("ConnectError")) is DeliveryState.DEAD
    send_due(queue, destination, sender)
    assert sender.numbers() == [2]  # the key continues
    assert states(engine, destination) == ["dead", "delivered"]
    log = DeliveryLog(engine)
    assert log.replay(destination, "another event") == 0
    assert log.replay(destination, event_id) == 1
    assert log.replay(destination) == 0
    send_due(queue, destination, sender)
    assert sender.numbers() == [2, 1]
    assert [line.entry.action for line in Trail(engine).lines()][-1] == "destination.replayed"


def test_a_receiver_that_is_gone_disables_its_destination(engine, destination, sender):
    append(engine, 1)
    dispatch(engine)
    sender.failing["camera:door"] = DeliveryFailed("status 410", status=410, is_gone=True)
    queue = new_queue(engine)
    send_due(queue, destination, sender)
    assert not DestinationStore(engine, Vault(engine)).get(destination.destination_id).is_enabled
    hurry(engine)
    assert queue.lanes.due() == {}
    assert queue.lanes.lease(destination.key) is None
    assert states(engine, destination) == ["pending"]
    assert [line.entry.actor for line in Trail(engine).lines()][-1] == "delivery"


def test_only_one_process_sends_a_key(engine, destination):
    append(engine, 1, 2)
    append(engine, 3, key="camera:yard")
    dispatch(engine)
    ours, theirs = new_queue(engine), new_queue(engine)
    door, yard = leased(ours, destination), leased(theirs, destination)
    assert {door.key, yard.key} == {"camera:door", "camera:yard"}
    assert ours.lanes.lease(destination.key) is theirs.lanes.lease(destination.key) is None
    assert ours.lanes.due() == {}


def test_the_keys_of_a_dead_process_are_continued(engine, destination, sender):
    append(engine, 1, 2)
    dispatch(engine)
    dead = new_queue(engine, lease=timedelta())
    lane = leased(dead, destination)
    delivery = first(dead, lane)
    send_due(new_queue(engine), destination, sender)
    assert sender.numbers() == [1, 2]
    assert not dead.delivered(lane, delivery)
    assert not dead.lanes.renew(lane)
    dead.lanes.close(lane)


def test_a_delivery_that_comes_while_a_lane_is_closed_is_not_forgotten(engine, destination, sender):
    append(engine, 1)
    dispatch(engine)
    queue = new_queue(engine)
    lane = leased(queue, destination)
    assert queue.delivered(lane, first(queue, lane))
    assert queue.next(lane) is None
    append(engine, 2)
    dispatch(engine)
    queue.lanes.close(lane)
    send_due(queue, destination, sender)
    assert sender.numbers() == [2]


def test_deleted_events_are_not_delivered(engine, destination, sender):
    append(engine, 1)
    dispatch(engine)
    with engine.begin() as connection:
        connection.execute(delete(EventTable))
        assert connection.scalar(select(func.count()).select_from(DeliveryTable)) == 0
    send_due(new_queue(engine), destination, sender)
    assert sender.sent == []
    assert lanes(engine) == 0


def test_a_deleted_destination_takes_its_deliveries_with_it(engine, destination):
    append(engine, 1)
    dispatch(engine)
    DestinationStore(engine, Vault(engine)).delete(destination.destination_id)
    assert lanes(engine) == 0


def test_images_go_only_to_destinations_that_allow_them(engine, sender):
    vault = Vault(engine, Master(new_secret()))
    vault.open_keys()
    refusing, allowing = (new_destination(engine, vault=vault, is_image_sent=each) for each in (False, True))
    append(engine, 1, event_id="e-1", image=seal_image(vault, "e-1", b"jpeg"))
    append(engine, 2, event_id="e-2", image=seal_image(vault, "another", b"jpeg"))  # it does not open
    dispatch(engine)
    queue = new_queue(engine, vault=vault)
    send_due(queue, refusing, sender)
    send_due(queue, allowing, sender)
    assert [each.event.image for each in sender.sent] == [None, None, b"jpeg", None]
