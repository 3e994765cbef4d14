import threading
from contextlib import contextmanager

from app.notify.delivery import DeliveryFailed
from app.notify.delivery_worker import DeliveryWorker
from app.notify.destination import DestinationKind
from app.notify.dispatcher import Dispatcher
from tests.notify.receivers import FakeSender, append, hurry, new_destination, new_queue


@contextmanager
def working(engine, senders):
    worker = DeliveryWorker(Dispatcher(engine), new_queue(engine), senders, seconds=10, every=0.01)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_events_reach_their_destination_in_order(engine):
    new_destination(engine)
    sender = FakeSender()
    with working(engine, {DestinationKind.WEBHOOK: sender}) as worker:
        append(engine, 1, 2)
        append(engine, 3)
        sender.wait_for(3)
    assert sender.numbers() == [1, 2, 3]
    assert worker.counts.snapshot() == {"delivered": 3}


def test_a_slow_destination_or_key_does_not_delay_others(engine):
    new_destination(engine)
    new_destination(engine, kind=DestinationKind.MQTT)
    slow, quick = FakeSender(), FakeSender()
    slow.slow["camera:door"] = threading.Event()
    with working(engine, {DestinationKind.WEBHOOK: slow, DestinationKind.MQTT: quick}):
        append(engine, 1, 2)
        append(engine, 3, key="camera:yard")
        quick.wait_for(3)
        slow.wait_for(1)
        assert slow.numbers() == [3]
        slow.slow["camera:door"].set()
        slow.wait_for(3)
    assert slow.numbers("camera:door") == [1, 2]


def test_a_failure_is_logged_once_and_counted(engine, capsys):
    new_destination(engine)
    sender = FakeSender()
    sender.failing["camera:door"] = DeliveryFailed("status 500", status=500)
    with working(engine, {DestinationKind.WEBHOOK: sender}) as worker:
        append(engine, 1)
        append(engine, 2, key="camera:yard")
        sender.wait_for(1)
        while not worker.counts.snapshot().get("failed"):
            pass
        sender.failing.clear()
        hurry(engine)
        sender.wait_for(2)
    assert worker.counts.snapshot() == {"delivered": 2, "failed": 1}
    assert "secret-path" not in "".join(capsys.readouterr())


def test_a_kind_without_a_sender_fails_and_does_not_stop_the_others(engine):
    new_destination(engine, kind=DestinationKind.MQTT)
    new_destination(engine)
    sender = FakeSender()
    with working(engine, {DestinationKind.WEBHOOK: sender}) as worker:
        append(engine, 1)
        sender.wait_for(1)
        while not worker.counts.snapshot().get("failed"):
            pass
