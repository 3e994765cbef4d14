"""A connection to a broker of MQTT that publishes with confirmation; on the library paho-mqtt."""

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Condition
from typing import Any
from uuid import uuid4

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, topic_matches_sub
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from app.notify.mqtt.address import BrokerAddress
from app.notify.mqtt.hosts import BrokerHosts
from app.notify.mqtt.topics import MqttMessage
from app.observability.logs import get_logger

_log = get_logger(__name__)

_QOS = 1
_KEEPALIVE_S = 30
_CONNECT_S = 5.0
_LONGEST_WAIT_S = 30  # between two attempts to connect
_QUIET_S = 0.3  # some brokers send retained messages after they confirm the subscription
_ONLINE, _OFFLINE = b"online", b"offline"


class BrokerFailure(Exception):
    """The broker did not confirm a message, or is not connected; the text contains the reason."""


Connect = Callable[[], socket.socket]
"""Opens a TCP connection to the broker; raises OSError."""


class _Client(Client):
    """The library's client, which connects as it is given, without a proxy."""

    def __init__(self, name: str, protocol: MQTTProtocolVersion, connect: Connect) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, name, protocol=protocol)
        self._connect_tcp = connect

    def _create_socket_connection(self) -> socket.socket:
        return self._connect_tcp()


class BrokerConnection:
    """A connection that is opened again in the background until `close`. Usable by one thread.

    A message is published when the broker has confirmed it (QoS 1). After a failure nothing stays queued: the caller
    publishes again.
    """

    def __init__(
        self,
        address: BrokerAddress,
        status_topic: str,
        hosts: BrokerHosts,
        *,
        mirror: str,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Start to connect.

        Args:
            address: The broker.
            status_topic: Topic of `online` and `offline`.
            hosts: The hosts to which this may connect.
            mirror: Filter of the few topics whose messages are kept here as well (`mirrored`).
            tls: Replaces the system's certificates.
        """
        self._address = address
        self._hosts = hosts
        self._status_topic = status_topic
        self._mirror_filter = mirror
        self._tls = tls
        self._changed = Condition()
        self._is_connected = False
        self._is_closing = False
        self._failure = "it does not answer"
        self._confirmed: dict[int, ReasonCode] = {}
        self._is_reading = False
        self._received: list[MqttMessage] = []
        self._mirror: dict[str, bytes] = {}
        self._mirrored_connection = 0
        self.connections = 0
        self._client = self._start()

    def publish(self, messages: Sequence[MqttMessage], seconds: float) -> None:
        """Publish messages in order; raises BrokerFailure if the broker has not confirmed all in time."""
        end = time.monotonic() + seconds
        self._wait_for_connection(seconds)
        sent = [self._client.publish(each.topic, each.payload, _QOS, each.is_retained).mid for each in messages]
        with self._changed:
            self._changed.wait_for(
                lambda: self._confirmed.keys() >= set(sent) or not self._is_connected, end - time.monotonic()
            )
            answers = [self._confirmed[mid] for mid in sent if mid in self._confirmed]
            self._confirmed.clear()
        if len(answers) < len(sent):
            self._restart()  # the library would send its unconfirmed messages later, between newer ones
            raise BrokerFailure("the broker did not confirm a message")
        if refused := [reason for reason in answers if reason.is_failure]:
            raise BrokerFailure(f"the broker refused a message: {refused[0]}")

    def retained(self, filters: Sequence[str], seconds: float) -> Mapping[str, bytes]:
        """Return the retained messages that match filters, by topic; raises BrokerFailure."""
        received = self._read(filters, seconds, quiet=_QUIET_S)
        return {each.topic: each.payload for each in received if each.is_retained and each.payload}

    def mirrored(self, seconds: float) -> Mapping[str, bytes]:
        """Return the retained messages that match `mirror`, by topic; raises BrokerFailure.

        Only the first call on a connection waits for the broker's retained messages, as `retained` does.
        """
        self._wait_for_connection(seconds)
        connection = self.connections
        is_first = connection != self._mirrored_connection
        self._read([self._mirror_filter] if is_first else [], seconds, quiet=_QUIET_S if is_first else 0)
        self._mirrored_connection = connection
        with self._changed:
            return dict(self._mirror)

    def _read(self, filters: Sequence[str], seconds: float, *, quiet: float) -> Sequence[MqttMessage]:
        """Return the messages that match filters and arrive until `quiet` seconds pass without one."""
        marker = MqttMessage(f"{self._status_topic}/{uuid4().hex}", b"")
        self._wait_for_connection(seconds)
        with self._changed:
            self._received.clear()
            self._is_reading = True
        topics = [*filters, marker.topic]
        self._client.subscribe([(each, _QOS) for each in topics])
        try:
            self.publish([marker], seconds)
            return self._read_until(marker.topic, time.monotonic() + seconds, quiet)
        finally:
            self._is_reading = False
            self._client.unsubscribe([each for each in topics if each != self._mirror_filter])

    def close(self, status: bytes = _OFFLINE) -> None:
        """Publish the last status, as far as the broker confirms it at once, and disconnect."""
        self._is_closing = True
        if self._is_connected:
            with suppress(BrokerFailure):
                self.publish([MqttMessage(self._status_topic, status, is_retained=True)], _CONNECT_S)
        self._stop()

    def _stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _wait_for_connection(self, seconds: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_connected, seconds):
                raise BrokerFailure(self._failure)

    def _read_until(self, marker: str, end: float, quiet: float) -> Sequence[MqttMessage]:
        with self._changed:
            if not self._changed.wait_for(lambda: marker in self._topics(), end - time.monotonic()):
                raise BrokerFailure("the broker sent no answer to a subscription")
            count = -1
            while count != len(self._received) and time.monotonic() < end:
                count = len(self._received)
                self._changed.wait_for(lambda: len(self._received) > count, quiet)  # noqa: B023 - called at once
            return tuple(self._received)

    def _topics(self) -> set[str]:
        return {each.topic for each in self._received}

    def _start(self) -> Client:
        address = self._address
        version = MQTTProtocolVersion.MQTTv5 if address.is_version_5 else MQTTProtocolVersion.MQTTv311
        client = _Client(f"arcid-{uuid4().hex[:16]}", version, self._connect)
        client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if address.is_encrypted:
            client.tls_set_context(self._tls or ssl.create_default_context())
        client.will_set(self._status_topic, _OFFLINE, _QOS, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.connect_async(address.host, address.port, _KEEPALIVE_S)
        client.loop_start()
        return client

    def _connect(self) -> socket.socket:
        *others, last = self._hosts.addresses(self._address)
        for each in others:
            with suppress(OSError):
                return socket.create_connection((each, self._address.port), _CONNECT_S)
        return socket.create_connection((last, self._address.port), _CONNECT_S)

    def _restart(self) -> None:
        with self._changed:
            self._is_connected = False
        self._stop()
        if not self._is_closing:
            self._client = self._start()

    def _on_connect(self, client: Client, _: Any, __: ConnectFlags, reason: ReasonCode, ___: Properties | None) -> None:
        with self._changed:
            if reason.is_failure:
                self._failure = f"it refused the connection: {reason}"
                return
            self._is_connected = True
            self.connections += 1
            self._mirror.clear()
            self._changed.notify_all()
        client.subscribe([(self._status_topic, _QOS), (self._mirror_filter, _QOS)])
        client.publish(self._status_topic, _ONLINE, _QOS, retain=True)
        _log.info("mqtt.connected", host=self._address.host)

    def _on_disconnect(
        self, _: Client, __: Any, ___: DisconnectFlags, reason: ReasonCode, ____: Properties | None
    ) -> None:
        with self._changed:
            if self._is_connected:  # else the reason is known already
                self._is_connected = False
                self._failure = f"the connection was lost: {reason}"
                self._changed.notify_all()

    def _on_connect_fail(self, _: Client, __: Any) -> None:
        self._failure = "it cannot be reached"

    def _on_publish(self, _: Client, __: Any, mid: int, reason: ReasonCode, ___: Properties | None) -> None:
        with self._changed:
            self._confirmed[mid] = reason
            self._changed.notify_all()

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        if message.topic == self._status_topic:
            if message.payload == _OFFLINE and not self._is_closing:  # another replica has stopped; this one has not
                client.publish(self._status_topic, _ONLINE, _QOS, retain=True)
            return
        payload = bytes(message.payload)
        with self._changed:
            if topic_matches_sub(self._mirror_filter, message.topic):
                if payload:
                    self._mirror[message.topic] = payload
                else:
                    self._mirror.pop(message.topic, None)
            if self._is_reading:
                self._received.append(MqttMessage(message.topic, payload, is_retained=bool(message.retain)))
                self._changed.notify_all()
