"""With a real broker."""

import json
import threading
from datetime import timedelta

import pytest

from app.notify.mqtt.address import parse_broker
from app.notify.mqtt.client import BrokerFailure
from app.notify.mqtt.hosts import BrokerHosts
from app.notify.mqtt.publisher import MqttPublisher
from tests.mosquitto import DEADLINE_S, Subscriber, broker_in, free_port, retained
from tests.notify.mqtt.events import AT, event_of

LOCAL = BrokerHosts(["127.0.0.1", "localhost"])


@pytest.fixture
def broker(tmp_path):
    with broker_in(tmp_path) as running:
        yield running


@pytest.fixture
def opened(request):
    """Return a function that opens publishers and subscribers, which are closed after the test."""

    def open_(one):
        request.addfinalizer(one.close)
        return one

    return open_


def publisher_for(broker, options="", **kwargs):
    return MqttPublisher(parse_broker(f"mqtt://127.0.0.1:{broker.port}/arcid?{options}"), LOCAL, **kwargs)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_events_arrive_in_order(broker, opened, protocol):
    subscriber = opened(Subscriber(broker.port, "arcid/events/#"))
    publisher = opened(publisher_for(broker, f"protocol={protocol}"))
    for position in range(1, 21):
        publisher.publish(event_of(position=position))
    assert [json.loads(subscriber.next().payload)["data"]["position"] for _ in range(20)] == list(range(1, 21))


def test_no_event_is_lost_while_the_broker_restarts(broker, opened):
    subscriber = opened(Subscriber(broker.port, "arcid/events/#"))
    publisher = opened(publisher_for(broker, seconds=5))
    restarts = threading.Thread(target=lambda: [(broker.stop(), broker.start()) for _ in range(3)])
    restarts.start()
    failures = 0
    for position in range(1, 61):
        while True:
            try:
                publisher.publish(event_of(position=position))
            except BrokerFailure:
                failures += 1
            else:
                break
    restarts.join()
    publisher.publish(event_of(position=61))
    positions, seen = [], None
    while seen != 61:
        seen = json.loads(subscriber.next().payload)["data"]["position"]
        positions.append(seen)
    assert sorted(set(positions)) == list(range(1, 62))
    firsts = list(dict.fromkeys(positions))
    assert firsts == sorted(firsts)


def test_an_event_fails_while_the_broker_is_dead(broker, opened):
    publisher = opened(publisher_for(broker, seconds=3))
    publisher.publish(event_of(position=1))
    broker.kill()
    with pytest.raises(BrokerFailure):
        publisher.publish(event_of(position=2))
    broker.start()
    publisher._seconds = DEADLINE_S
    publisher.publish(event_of(position=3))


def test_nothing_listens_at_the_address(opened):
    publisher = opened(MqttPublisher(parse_broker(f"mqtt://127.0.0.1:{free_port()}"), LOCAL, seconds=0.3))
    with pytest.raises(BrokerFailure, match=r"it cannot be reached|it does not answer"):
        publisher.publish(event_of())


def test_a_replayed_event_does_not_change_a_newer_state(broker, opened):
    publisher = opened(publisher_for(broker))
    publisher.publish(event_of(camera="door"))
    publisher.publish(event_of(camera="garden", at=AT - timedelta(hours=1)))
    state = retained(broker.port, "arcid/person/#")["arcid/person/home/ada"]
    assert json.loads(state)["camera"] == "door"


def test_the_status_is_offline_after_the_service_stopped_or_died(broker, opened):
    subscriber = opened(Subscriber(broker.port, "arcid/status"))
    publisher = publisher_for(broker)
    assert subscriber.next().payload == b"online"
    publisher.close()
    assert subscriber.next().payload == b"offline"
    publisher = opened(publisher_for(broker))
    assert subscriber.next().payload == b"online"
    publisher._connection._client._sock_close()  # as a crash
    while subscriber.next().payload != b"offline":
        pass


def test_a_stopping_replica_leaves_the_status_of_the_other_one(broker, opened):
    subscriber = opened(Subscriber(broker.port, "arcid/status"))
    opened(publisher_for(broker)).publish(event_of())
    other = publisher_for(broker)
    other.publish(event_of())
    other.close()
    while subscriber.next().payload != b"offline":
        pass
    assert subscriber.next().payload == b"online"


def test_devices_are_created_once_and_then_are_in_the_broker(broker, opened):
    subscriber = opened(Subscriber(broker.port, "homeassistant/#", "arcid/events/#"))
    publisher = opened(publisher_for(broker))
    publisher.publish(event_of())
    publisher.publish(event_of())
    topics = [each.topic for each in subscriber.until("arcid/events/person.recognised")]
    assert sum(topic.endswith("/config") for topic in topics) == 6
    assert subscriber.next().topic == "arcid/events/person.recognised"
    assert len(retained(broker.port, "homeassistant/#")) == 6


def test_a_deleted_person_leaves_nothing_in_the_broker(broker, opened):
    publisher = opened(publisher_for(broker))
    publisher.publish(event_of(identity_id="ada+#/ü", name="Ada", camera="door"))
    publisher.publish(event_of(identity_id="bob", name="Bob", camera="garden"))
    publisher.forget_person("home", "ada+#/ü")
    left = retained(broker.port, "arcid/#", "homeassistant/#")
    assert not [topic for topic, payload in left.items() if b"Ada" in payload]
    assert left.keys() >= {"arcid/camera/garden/person", "arcid/person/home/bob"}
    publisher.publish(event_of(identity_id="ada+#/ü", name="Ada", camera="door"))  # and can be created again
    assert any(b"Ada" in payload for payload in retained(broker.port, "homeassistant/#").values())


def test_a_later_deletion_knows_what_has_changed_since_the_first(broker, opened):
    publisher, replica = opened(publisher_for(broker)), opened(publisher_for(broker))
    publisher.publish(event_of(identity_id="ada", name="Ada", camera="door"))
    publisher.forget_person("home", "ada")
    replica.publish(event_of(identity_id="bob", name="Bob", camera="door"))
    publisher.publish(event_of(identity_id="cy", name="Cy", camera="gate"))
    publisher.forget_person("home", "bob")
    left = retained(broker.port, "arcid/#", "homeassistant/#")
    assert not [topic for topic, payload in left.items() if b"Ada" in payload or b"Bob" in payload]
    assert "arcid/camera/gate/person" in left


def test_a_deleted_camera_and_a_deleted_destination_leave_nothing_in_the_broker(broker, opened):
    publisher = opened(publisher_for(broker))
    publisher.publish(event_of(camera="a/b", image=b"jpeg"))
    publisher.publish(event_of(kind="camera.lost", camera="a/b"))
    publisher.forget_camera("a/b")
    left = retained(broker.port, "arcid/#", "homeassistant/#")
    assert {topic.split("/")[1] for topic in left if topic.startswith("arcid")} == {"person", "status"}
    assert len(left) == 3
    publisher.forget_all()
    assert not retained(broker.port, "arcid/#", "homeassistant/#")


def test_other_programs_keep_their_devices(broker, opened):
    other = opened(Subscriber(broker.port, "nothing", name="other"))
    config = json.dumps({"name": "Lamp", "state_topic": "lamp"})
    other.publish("homeassistant/light/lamp/lamp/config", config, retain=True)
    publisher = opened(publisher_for(broker))
    publisher.publish(event_of())
    publisher.forget_all()
    assert retained(broker.port, "homeassistant/#").keys() == {"homeassistant/light/lamp/lamp/config"}


def test_people_of_a_deleted_collection_leave_the_broker(broker, opened):
    publisher = opened(publisher_for(broker))
    publisher.publish(event_of(collection="home", identity_id="ada", name="Ada"))
    publisher.publish(event_of(collection="work", identity_id="bob", name="Bob", camera="gate"))
    publisher.forget_people("home")
    left = retained(broker.port, "arcid/#", "homeassistant/#")
    assert not [topic for topic, payload in left.items() if b"Ada" in payload]
    assert "arcid/person/work/bob" in left


def test_people_who_are_not_enrolled_any_more_leave_the_broker(broker, opened):
    publisher = opened(publisher_for(broker))
    publisher.publish(event_of(identity_id="ada", name="Ada"))
    publisher.publish(event_of(identity_id="bob", name="Bob", camera="gate"))
    publisher.close()
    publisher = opened(publisher_for(broker))  # knows only what the broker retains

    def known(people):
        assert people == {("home", "ada"), ("home", "bob")}
        return [("home", "bob")]

    publisher.keep_people(known)
    left = retained(broker.port, "arcid/#", "homeassistant/#")
    assert not [topic for topic, payload in left.items() if b"Ada" in payload]
    assert left.keys() >= {"arcid/person/home/bob", "arcid/camera/gate/person"}


def test_the_broker_is_not_connected_to_if_its_address_is_not_allowed(broker, opened):
    address = parse_broker(f"mqtt://localhost:{broker.port}")
    publisher = opened(MqttPublisher(address, BrokerHosts([]), seconds=0.3))
    with pytest.raises(BrokerFailure, match="cannot be reached"):
        publisher.publish(event_of())
