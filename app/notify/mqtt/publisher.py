"""Publishing of events to one broker of MQTT."""

import json
import ssl
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from app import __version__
from app.database.outbox import EventKind
from app.notify.delivery import OutgoingEvent
from app.notify.mqtt.address import BrokerAddress
from app.notify.mqtt.client import BrokerConnection
from app.notify.mqtt.discovery import Discovery
from app.notify.mqtt.hosts import BrokerHosts
from app.notify.mqtt.messages import camera_of, messages_of, recognition_of
from app.notify.mqtt.topics import MqttMessage, Topics

Person = tuple[str, str]
"""Collection and id of a person."""

_Value = TypeVar("_Value")
_SECONDS = 10.0
_MOST_TOPICS = 10_000  # remembered


class MqttPublisher:
    """Publishes events to one broker. Usable by several threads; all methods raise BrokerFailure."""

    def __init__(
        self,
        address: BrokerAddress,
        hosts: BrokerHosts,
        *,
        seconds: float = _SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Start to connect; each call may take `seconds`. `tls` replaces the system's certificates."""
        self._topics = Topics(address.prefix)
        self._discovery = address.discovery and Discovery(address.discovery, self._topics, __version__)
        self._seconds = seconds
        self._connection = BrokerConnection(
            address, self._topics.status, hosts, mirror=self._topics.every_last_person, tls=tls
        )
        self._lock = Lock()
        self._announced: OrderedDict[str, bytes] = OrderedDict()
        self._states: OrderedDict[str, datetime] = OrderedDict()

    def publish(self, event: OutgoingEvent) -> None:
        """Publish the messages of an event; returns when the broker has confirmed all of them.

        An event about removed people also deletes their retained messages.
        """
        with self._lock:
            new = [each for each in self._announcements(event) if self._announced.get(each.topic) != each.payload]
            messages = [each for each in messages_of(event, self._topics) if not self._is_outdated(each, event.at)]
            self._connection.publish([*new, *messages], self._seconds)
            for each in new:
                _remember(self._announced, each.topic, each.payload)
            for each in messages:
                if each.is_retained:
                    _remember(self._states, each.topic, event.at)
        if event.kind == EventKind.ENROLLMENT_REMOVED and event.collection is not None:
            self._forget_removed(event.collection, event.data)

    def forget_person(self, collection: str, identity_id: str) -> None:
        """Delete what the broker retains about a person."""
        person = (collection, identity_id)
        with self._lock:
            states = self._connection.mirrored(self._seconds)
            shown = [topic for topic, payload in states.items() if _person_in(payload) == person]
            self._clear(self._without_people({person}, shown))

    def forget_people(self, collection: str) -> None:
        """Delete what the broker retains about all people of a collection."""
        self._forget_people(lambda person: person[0] == collection)

    def keep_people(self, known: Callable[[Collection[Person]], Collection[Person]]) -> None:
        """Delete what the broker retains about people whom `known` does not return."""
        with self._lock:
            people = set(self._retained_people().values())
        unknown = people - set(known(people)) if people else set()
        if unknown:
            self._forget_people(unknown.__contains__)

    def forget_camera(self, camera: str) -> None:
        """Delete what the broker retains about a camera."""
        with self._lock:
            messages = [_cleared(self._topics.last_person(camera)), _cleared(self._topics.connection(camera))]
            if self._discovery:
                messages += self._discovery.without_camera(camera)
            self._clear(messages)

    def keep_cameras(self, cameras: Collection[str]) -> None:
        """Delete what the broker retains about other cameras than these."""
        with self._lock:
            topics = self._connection.retained([self._topics.every_camera], self._seconds)
        found = {self._topics.camera_in(topic) for topic in topics}
        for camera in found - {None, *cameras}:
            self.forget_camera(str(camera))

    def forget_all(self) -> None:
        """Delete everything that the broker retains below the prefix, and Home Assistant's devices; then disconnect.

        It also disconnects if it raises BrokerFailure.
        """
        with self._lock:
            try:
                self._clear(self._own_messages())
            finally:
                self._connection.close(status=b"")

    def close(self) -> None:
        """Publish `offline` and disconnect."""
        with self._lock:
            self._connection.close()

    def _own_messages(self) -> list[MqttMessage]:
        """Return the messages that delete all retained ones, except the status."""
        topics = self._connection.retained([f"{self._topics.prefix}/#"], self._seconds).keys()
        messages = [_cleared(topic) for topic in topics if topic != self._topics.status]
        if self._discovery:
            configs = self._connection.retained([self._discovery.every_config], self._seconds)
            messages += [_cleared(topic) for topic, payload in configs.items() if self._discovery.is_own(payload)]
        return messages

    def _forget_removed(self, collection: str, removed: Mapping[str, Any]) -> None:
        if "identity_id" not in removed:
            self.forget_people(collection)
        elif removed.get("is_whole"):
            self.forget_person(collection, removed["identity_id"])

    def _forget_people(self, is_meant: Callable[[Person], bool]) -> None:
        with self._lock:
            states = {topic: person for topic, person in self._retained_people().items() if is_meant(person)}
            self._clear(self._without_people(set(states.values()), states))

    def _without_people(self, people: Collection[Person], states: Iterable[str]) -> list[MqttMessage]:
        """Return the messages that delete the given states, and all that is retained for these people."""
        messages = [_cleared(topic) for topic in states]
        for collection, identity_id in people:
            messages.append(_cleared(self._topics.person(collection, identity_id)))
            if self._discovery:
                messages += self._discovery.without_person(collection, identity_id)
        return messages

    def _retained_people(self) -> Mapping[str, Person]:
        """Return the people in retained states, by topic."""
        filters = [self._topics.every_last_person, self._topics.every_person]
        retained = self._connection.retained(filters, self._seconds)
        people = {topic: _person_in(payload) for topic, payload in retained.items()}
        return {topic: person for topic, person in people.items() if person is not None}

    def _announcements(self, event: OutgoingEvent) -> list[MqttMessage]:
        camera = camera_of(event)
        if not self._discovery or camera is None:
            return []
        messages = self._discovery.camera(camera, has_image=event.image is not None)
        if event.kind != EventKind.CAMERA_LOST:
            messages.append(MqttMessage(self._topics.connection(camera), b"online", is_retained=True))
        if seen := recognition_of(event):
            messages += self._discovery.person(seen.collection, seen.identity_id, seen.name)
        return messages

    def _is_outdated(self, message: MqttMessage, at: datetime) -> bool:
        """Return whether a newer state was published: a dead letter may be replayed much later."""
        newest = self._states.get(message.topic)
        return message.is_retained and newest is not None and newest > at

    def _clear(self, messages: Iterable[MqttMessage]) -> None:
        messages = list(messages)
        self._connection.publish(messages, self._seconds)
        for each in messages:
            self._announced.pop(each.topic, None)
            self._states.pop(each.topic, None)


def _cleared(topic: str) -> MqttMessage:
    return MqttMessage(topic, b"", is_retained=True)


def _person_in(payload: bytes) -> Person | None:
    """Return the person whom a retained state names."""
    try:
        state = json.loads(payload)
    except ValueError:
        return None
    person = (state.get("collection"), state.get("identity_id")) if isinstance(state, dict) else (None, None)
    return (person[0], person[1]) if isinstance(person[0], str) and isinstance(person[1], str) else None


def _remember(known: OrderedDict[str, _Value], topic: str, value: _Value) -> None:
    known[topic] = value
    known.move_to_end(topic)
    if len(known) > _MOST_TOPICS:
        known.popitem(last=False)
