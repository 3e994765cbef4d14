"""Events of the outbox reach a real broker."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import delete

from app.database import outbox
from app.database.outbox import EventKind, NewEvent
from app.database.tables import IdentityTable
from app.database.vault import Vault
from app.errors import RequestInvalid, UrlNotAllowed
from app.gallery.store.cameras import CameraRepository
from app.gallery.store.identities import IdentityStore
from app.notify.delivery_worker import DeliveryWorker
from app.notify.destination import DestinationKind
from app.notify.destination_store import DestinationStore
from app.notify.dispatcher import Dispatcher
from app.notify.mqtt.hosts import BrokerHosts
from app.notify.mqtt.keeper import MqttKeeper
from app.notify.mqtt.sender import MqttSender
from tests.gallery.store.enrolling import D, enroll
from tests.mosquitto import Subscriber, broker_in, retained
from tests.notify.receivers import hurry, new_destination, new_queue
from tests.watch.fakes import SETUP


@pytest.fixture
def broker(tmp_path):
    with broker_in(tmp_path) as running:
        yield running


@contextmanager
def delivering(engine):
    """Run what a service runs; yield the keeper, whose steps the test takes."""
    sender = MqttSender(BrokerHosts(["127.0.0.1"]), seconds=5)
    keeper = MqttKeeper(engine, DestinationStore(engine, Vault(engine)), sender, every=3600, check_every=0)
    worker = DeliveryWorker(
        Dispatcher(engine), new_queue(engine), {DestinationKind.MQTT: sender}, seconds=5, every=0.01
    )
    worker.start()
    keeper.start()
    try:
        yield keeper
    finally:
        worker.stop()
        keeper.stop()


def recognized(engine, *people, camera="door", number=0):
    with engine.begin() as connection:
        for each in people:
            data = {"camera": camera, "identity_id": each, "name": each.title(), "verdict": "match", "number": number}
            event = NewEvent(EventKind.PERSON_RECOGNISED, f"camera:{camera}", data, collection="home", subject=each)
            outbox.append(connection, event)


def removed(engine, **data):
    with engine.begin() as connection:
        event = NewEvent(EventKind.ENROLLMENT_REMOVED, "collection:home", data, collection="home")
        outbox.append(connection, event)


def mqtt_destination(engine, broker, prefix="arcid"):
    return new_destination(engine, kind=DestinationKind.MQTT, url=f"mqtt://127.0.0.1:{broker.port}/{prefix}")


def texts(broker):
    return "".join(payload.decode() for payload in retained(broker.port, "arcid/#", "homeassistant/#").values())


def test_committed_events_arrive_in_order_although_the_broker_restarts(engine, broker):
    subscriber = Subscriber(broker.port, "arcid/events/#")
    mqtt_destination(engine, broker)
    with delivering(engine):
        for number in range(5):
            recognized(engine, "ada", number=number)
        broker.stop()
        for number in range(5, 10):
            recognized(engine, "ada", number=number)
        broker.start()
        numbers: list[int] = []
        while not numbers or numbers[-1] != 9:
            hurry(engine)
            numbers.append(json.loads(subscriber.next().payload)["data"]["number"])
    subscriber.close()
    assert list(dict.fromkeys(numbers)) == list(range(10))


def test_the_status_is_online_before_the_first_event_and_offline_after_the_end(engine, broker):
    mqtt_destination(engine, broker)
    subscriber = Subscriber(broker.port, "arcid/status")
    with delivering(engine) as keeper:
        keeper.step()
        assert subscriber.next().payload == b"online"
    assert subscriber.next().payload == b"offline"
    subscriber.close()


@pytest.mark.parametrize("removal", [{"identity_id": "ada", "is_whole": True}, {"reason": "cleared"}])
def test_removed_people_leave_the_broker(engine, broker, removal):
    mqtt_destination(engine, broker)
    subscriber = Subscriber(broker.port, "arcid/events/#", "arcid/person/#")
    with delivering(engine):
        recognized(engine, "ada")
        subscriber.until("arcid/person/home/ada")
        removed(engine, identity_id="ada", is_whole=False)
        subscriber.until("arcid/events/enrollment.removed")
        assert "Ada" in texts(broker)
        removed(engine, **removal)
        while subscriber.until("arcid/person/home/ada")[-1].payload:
            pass
    subscriber.close()
    assert "Ada" not in texts(broker)


def test_a_deleted_destination_leaves_nothing(engine, broker):
    destination = mqtt_destination(engine, broker)
    subscriber = Subscriber(broker.port, "arcid/events/#")
    with delivering(engine) as keeper:
        recognized(engine, "ada")
        subscriber.until("arcid/events/person.recognised")
        DestinationStore(engine, Vault(engine)).delete(destination.destination_id)
        keeper.step()
        assert retained(broker.port, "arcid/#", "homeassistant/#") == {}
    subscriber.close()


def test_people_of_whom_the_destination_was_not_told_leave_the_broker(engine, broker):
    store = IdentityStore(engine)
    home = store.create_collection("home", model="net", dimension=D)
    for each in ("ada", "bob"):
        enroll(store, home, each)
    mqtt_destination(engine, broker)
    subscriber = Subscriber(broker.port, "arcid/events/#")
    with delivering(engine) as keeper:
        recognized(engine, "ada", "bob")
        while json.loads(subscriber.next().payload)["data"].get("identity_id") != "bob":
            pass
        keeper.step()
        assert "Ada" in texts(broker)
        with engine.begin() as connection:
            connection.execute(delete(IdentityTable).where(IdentityTable.identity_id == "ada"))
        keeper.step()
        left = texts(broker)
        assert "Ada" not in left
        assert "Bob" in left
    subscriber.close()


def test_origins_have_no_password():
    sender = MqttSender(BrokerHosts(["broker.lan", "::1"]), seconds=1)
    assert sender.origin("mqtt://me:secret@broker.lan/arcid") == "mqtt://broker.lan:1883"
    assert sender.origin("mqtts://me:secret@[::1]/arcid") == "mqtts://[::1]:8883"
    with pytest.raises(UrlNotAllowed):
        sender.origin("mqtt://other.lan")
    with pytest.raises(RequestInvalid):
        sender.origin("https://other.lan")


def test_a_deleted_camera_leaves_the_broker(engine, broker):
    IdentityStore(engine).create_collection(SETUP.collection, model="net", dimension=D)
    cameras = CameraRepository(engine, Vault(engine))
    for each in ("door", "gate"):
        cameras.create(replace(SETUP, camera_id=each), most=2)
    mqtt_destination(engine, broker)
    subscriber = Subscriber(broker.port, "arcid/camera/+/sighting")
    with delivering(engine) as keeper:
        for each in ("door", "gate"):
            recognized(engine, "ada", camera=each)
            subscriber.next()
        keeper.step()
        cameras.delete("gate")
        keeper.step()
        left = retained(broker.port, "arcid/camera/#", "homeassistant/binary_sensor/#")
    subscriber.close()
    assert {topic for topic in left if topic.startswith("arcid")} == {"arcid/camera/door/status"}
    assert not [topic for topic, payload in left.items() if b"gate" in payload]
