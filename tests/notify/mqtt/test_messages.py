import json

import pytest

from app.notify.mqtt.messages import messages_of
from app.notify.mqtt.topics import Topics
from tests.notify.mqtt.events import event_of

TOPICS = Topics("arcid")


def published(event):
    return {each.topic: each for each in messages_of(event, TOPICS)}


def test_a_recognized_person_is_the_state_of_the_camera_and_of_the_person():
    event = event_of(similarity=0.71, fpir=1e-4)
    messages = published(event)
    assert messages.keys() == {
        "arcid/events/person.recognised",
        "arcid/camera/door/person",
        "arcid/camera/door/sighting",
        "arcid/person/home/ada",
    }
    state = json.loads(messages["arcid/person/home/ada"].payload)
    assert state["camera"] == "door"
    assert state["name"] == "Ada"
    assert state["similarity"] == 0.71
    assert state["at"] == "2026-05-01T12:00:00.000+00:00"
    assert messages["arcid/camera/door/person"].payload == messages["arcid/person/home/ada"].payload


def test_only_states_are_retained():
    messages = published(event_of(image=b"jpeg")).values()
    assert {each.topic for each in messages if each.is_retained} == {
        "arcid/camera/door/person",
        "arcid/person/home/ada",
    }


def test_the_event_is_published_as_webhooks_get_it():
    event = json.loads(published(event_of(position=7))["arcid/events/person.recognised"].payload)
    assert event["type"] == "person.recognised"
    assert event["timestamp"] == "2026-05-01T12:00:00+00:00"
    assert event["data"]["event_id"] == "event-7"
    assert event["data"]["position"] == 7
    assert event["data"]["collection"] == "home"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("person.unknown", "unknown"), ("person.possible", "possible"), ("attack.suspected", "attack")],
)
def test_other_sightings_change_no_state(kind, verdict):
    messages = published(event_of(kind=kind, verdict=verdict, identity_id=None, name=None, image=b"jpeg"))
    assert messages.keys() == {f"arcid/events/{kind}", "arcid/camera/door/sighting", "arcid/camera/door/image"}
    assert json.loads(messages["arcid/camera/door/sighting"].payload)["verdict"] == verdict


def test_the_image_precedes_the_sighting():
    order = [each.topic for each in messages_of(event_of(image=b"jpeg"), TOPICS)]
    assert order.index("arcid/camera/door/image") < order.index("arcid/camera/door/sighting")


@pytest.mark.parametrize(("kind", "state"), [("camera.lost", b"offline"), ("camera.back", b"online")])
def test_the_connection_of_a_camera(kind, state):
    messages = published(event_of(kind=kind, identity_id=None, verdict=None))
    assert messages["arcid/camera/door/status"].payload == state
    assert messages["arcid/camera/door/status"].is_retained


@pytest.mark.parametrize("kind", ["enrollment.added", "job.finished", "test", "watchlist.hit"])
def test_other_events_are_published_once(kind):
    assert published(event_of(kind=kind)).keys() == {f"arcid/events/{kind}"}
