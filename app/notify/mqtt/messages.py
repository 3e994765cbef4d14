"""The messages of an event; pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from app.database.outbox import EventKind
from app.notify.delivery import OutgoingEvent
from app.notify.mqtt.topics import MqttMessage, Topics
from app.notify.webhook import event_content

_SIGHTINGS = frozenset(
    {
        EventKind.PERSON_RECOGNISED,
        EventKind.PERSON_POSSIBLE,
        EventKind.PERSON_UNKNOWN,
        EventKind.ATTACK_SUSPECTED,
    }
)
_CONNECTIONS = {EventKind.CAMERA_LOST: b"offline", EventKind.CAMERA_BACK: b"online"}
_OF_PERSON = ("identity_id", "name", "similarity", "fpir", "quality", "liveness")


@dataclass(frozen=True, slots=True)
class RecognizedPerson:
    """The person whom a camera recognized, and how they are called."""

    camera: str
    collection: str
    identity_id: str
    name: str | None


def camera_of(event: OutgoingEvent) -> str | None:
    """Return the id of the camera of an event; None: it is not of a camera."""
    camera = event.data.get("camera")
    return camera if isinstance(camera, str) and event.kind in _SIGHTINGS | _CONNECTIONS.keys() else None


def recognition_of(event: OutgoingEvent) -> RecognizedPerson | None:
    """Return the person whom a camera recognized, if the event reports this."""
    camera, identity_id = camera_of(event), event.data.get("identity_id")
    if event.kind != EventKind.PERSON_RECOGNISED or camera is None or event.collection is None or not identity_id:
        return None
    return RecognizedPerson(camera, event.collection, identity_id, event.data.get("name"))


def messages_of(event: OutgoingEvent, topics: Topics) -> list[MqttMessage]:
    """Return what is published for an event.

    Only states are retained. A retained sighting would open the door again for each program that connects later.
    """
    messages = [MqttMessage(topics.events(event.kind), _json(event_content(replace(event, image=None))))]
    camera = camera_of(event)
    if camera is None:
        return messages
    if event.kind in _CONNECTIONS:
        state = MqttMessage(topics.connection(camera), _CONNECTIONS[EventKind(event.kind)], is_retained=True)
        return [*messages, state]
    return messages + _of_sighting(event, camera, topics)


def _of_sighting(event: OutgoingEvent, camera: str, topics: Topics) -> list[MqttMessage]:
    """Return the messages for Home Assistant; the image comes first, so that automations find it."""
    messages = [] if event.image is None else [MqttMessage(topics.image(camera), event.image)]
    state = {each: event.data.get(each) for each in _OF_PERSON} | {
        "camera": camera,
        "collection": event.collection,
        "at": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    if seen := recognition_of(event):
        messages += [
            MqttMessage(topics.last_person(camera), _json(state), is_retained=True),
            MqttMessage(topics.person(seen.collection, seen.identity_id), _json(state), is_retained=True),
        ]
    return [*messages, MqttMessage(topics.sighting(camera), _json(state | {"verdict": event.data.get("verdict")}))]


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
