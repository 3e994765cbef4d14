import json

import pytest

from app.notify.mqtt.discovery import Discovery
from app.notify.mqtt.topics import Topics

DISCOVERY = Discovery("homeassistant", Topics("arcid"), "1.2.3")


def configs(messages):
    return {each.topic.split("/")[3]: json.loads(each.payload) for each in messages}


def test_a_camera_is_a_device():
    entities = configs(DISCOVERY.camera("door", has_image=True))
    assert entities.keys() == {"last_person", "person", "unknown", "attack", "connection", "best_shot"}
    assert {each["device"]["identifiers"] for each in entities.values()} == {
        "arcid_door_" + entities["person"]["device"]["identifiers"][-12:]
    }
    assert {each["availability_topic"] for each in entities.values()} == {"arcid/status"}
    assert entities["best_shot"]["image_topic"] == "arcid/camera/door/image"


def test_an_image_exists_only_if_images_are_sent():
    assert "best_shot" not in configs(DISCOVERY.camera("door"))


def test_a_person_is_a_device_with_their_name():
    [person] = configs(DISCOVERY.person("home", "a/b", "Zoë")).values()
    assert person["device"]["name"] == "Zoë"
    assert person["state_topic"] == "arcid/person/home/a%2Fb"
    [nameless] = configs(DISCOVERY.person("home", "a/b", None)).values()
    assert nameless["device"] == person["device"] | {"name": "a/b"}


def test_unique_ids_are_unique():
    other = Discovery("homeassistant", Topics("other"), "1.2.3")
    messages = [
        *(each for camera in ("a_b", "a/b", "a b", "A_b") for each in DISCOVERY.camera(camera, has_image=True)),
        *(each for collection in ("x", "y") for each in DISCOVERY.person(collection, "a_b", None)),
        *other.camera("a_b", has_image=True),
    ]
    assert len({json.loads(each.payload)["unique_id"] for each in messages}) == len(messages)
    assert len({each.topic for each in messages}) == len(messages)


def test_removal_clears_all_messages():
    created = [*DISCOVERY.camera("door", has_image=True), *DISCOVERY.person("home", "ada", "Ada")]
    removed = [*DISCOVERY.without_camera("door"), *DISCOVERY.without_person("home", "ada")]
    assert [each.topic for each in removed] == [each.topic for each in created]
    assert all(each.is_retained for each in created)
    assert all(each.is_retained and each.payload == b"" for each in removed)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"availability_topic": "other/status"}'])
def test_devices_of_others_are_recognized(payload):
    assert not DISCOVERY.is_own(payload)


def test_own_devices_are_recognized():
    assert all(DISCOVERY.is_own(each.payload) for each in DISCOVERY.camera("door"))
