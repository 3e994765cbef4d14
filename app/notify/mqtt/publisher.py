"""Publishing of events to one broker of MQTT."""

import json
import ssl
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from threading import Lock
from typing import TypeVar

from app import __version__
from app.database.outbox import EventKind
from app.notify.mqtt.address import BrokerAddress
from app.notify.mqtt.client import BrokerConnection
from app.notify.mqtt.discovery import Discovery
from app.notify.mqtt.messages import EventToPublish, camera_of, messages_of, recognition_of
from app.notify.mqtt.topics import MqttMessage, Topics

_Value = TypeVar("_Value")
_SECONDS = 10.0
_MOST_TOPICS = 10_000  # remembered


class MqttPublisher:
    """Publishes events to one broker. Usable by several threads; all methods raise BrokerFailure."""

    def __init__(self, address: BrokerAddress, *, seconds: float = _SECONDS, tls: ssl.SSLContext | None = None) -> None:
        """Start to connect; each call may take `seconds`. `tls` replaces the system's certificates."""
        self._topics = Topics(address.prefix)
        self._discovery = address.discovery and Discovery(address.discovery, self._topics, __version__)
        self._seconds = seconds
        self._connection = BrokerConnection(address, self._topics.status, tls=tls)
        self._lock = Lock()
        self._announced: OrderedDict[str, bytes] = OrderedDict()
        self._states: OrderedDict[str, datetime] = OrderedDict()

    def publish(self, event: EventToPublish) -> None:
        """Publish the messages of an event; returns when the broker has confirmed all of them."""
        with self._lock:
            new = [each for each in self._announcements(event) if self._announced.get(each.topic) != each.payload]
            messages = [each for each in messages_of(event, self._topics) if not self._is_outdated(each, event.at)]
            self._connection.publish([*new, *messages], self._seconds)
            for each in new:
                _remember(self._announced, each.topic, each.payload)
            for each in messages:
                if each.is_retained:
                    _remember(self._states, each.topic, event.at)

    def forget_person(self, collection: str, identity_id: str) -> None:
        """Delete what the broker retains about a person."""
        with self._lock:
            messages = [_cleared(self._topics.person(collection, identity_id))]
            if self._discovery:
                messages += self._discovery.without_person(collection, identity_id)
            retained = self._connection.retained([self._topics.every_last_person], self._seconds)
            messages += [
                _cleared(topic) for topic, payload in retained.items() if _is_of(payload, collection, identity_id)
            ]
            self._clear(messages)

    def forget_camera(self, camera: str) -> None:
        """Delete what the broker retains about a camera."""
        with self._lock:
            messages = [_cleared(self._topics.last_person(camera)), _cleared(self._topics.connection(camera))]
            if self._discovery:
                messages += self._discovery.without_camera(camera)
            self._clear(messages)

    def forget_all(self) -> None:
        """Delete everything that the broker retains below the prefix, and Home Assistant's devices."""
        with self._lock:
            topics = self._connection.retained([f"{self._topics.prefix}/#"], self._seconds).keys()
            messages = [_cleared(topic) for topic in topics if topic != self._topics.status]
            if self._discovery:
                configs = self._connection.retained([self._discovery.every_config], self._seconds)
                messages += [_cleared(topic) for topic, payload in configs.items() if self._discovery.is_own(payload)]
            self._clear(messages)

    def close(self) -> None:
        """Publish `offline` and disconnect."""
        with self._lock:
            self._connection.close()

    def _announcements(self, event: EventToPublish) -> list[MqttMessage]:
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


def _is_of(payload: bytes, collection: str, identity_id: str) -> bool:
    """Return whether a retained state names a person."""
    try:
        state = json.loads(payload)
    except ValueError:
        return False
    return isinstance(state, dict) and (state.get("collection"), state.get("identity_id")) == (collection, identity_id)


def _remember(known: OrderedDict[str, _Value], topic: str, value: _Value) -> None:
    known[topic] = value
    known.move_to_end(topic)
    if len(known) > _MOST_TOPICS:
        known.popitem(last=False)
