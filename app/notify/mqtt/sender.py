"""The sender of events to destinations of kind MQTT."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from threading import Lock

from app.errors import UrlNotAllowed
from app.notify.delivery import Delivery, DeliveryFailed
from app.notify.mqtt.address import BrokerAddress, parse_broker
from app.notify.mqtt.client import BrokerFailure
from app.notify.mqtt.hosts import BrokerHosts
from app.notify.mqtt.publisher import MqttPublisher, Person
from app.observability.logs import get_logger

_log = get_logger(__name__)


class MqttSender:
    """A `Sender` that keeps a connection for each destination. Usable by several threads."""

    def __init__(self, hosts: BrokerHosts, *, seconds: float) -> None:
        """`seconds` is the time limit of a delivery."""
        self._hosts = hosts
        self._seconds = seconds
        self._lock = Lock()
        self._publishers: dict[tuple[str, str], MqttPublisher] = {}
        """By destination and URL."""

    def origin(self, url: str) -> str:
        """Return scheme, host and port of a URL; raises RequestInvalid, UrlNotAllowed."""
        address = self._address(url)
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"{'mqtts' if address.is_encrypted else 'mqtt'}://{host}:{address.port}"

    def send(self, delivery: Delivery) -> None:
        """Return when the broker has confirmed all messages of the event; raises DeliveryFailed."""
        try:
            self._publisher(delivery.destination.destination_id, delivery.access.url).publish(delivery.event)
        except (BrokerFailure, UrlNotAllowed) as failure:  # or the allowed hosts have changed
            raise DeliveryFailed(str(failure)) from failure

    def keep(self, urls: Mapping[str, str]) -> None:
        """Connect to these destinations, by id, and disconnect from all others.

        The brokers of the others delete what they retain, if they can be reached now.
        """
        with self._lock:
            ended = {each: self._publishers.pop(each) for each in self._publishers.keys() - urls.items()}
        for (destination_id, _), publisher in ended.items():
            self._try(destination_id, publisher.forget_all)
        for destination_id, url in urls.items():
            self._try(destination_id, partial(self._publisher, destination_id, url))

    def keep_people(self, known: Callable[[Collection[Person]], Collection[Person]]) -> None:
        """Delete what brokers retain about people whom `known` does not return. A broker without an answer is left."""
        for destination_id, publisher in self._opened():
            self._try(destination_id, partial(publisher.keep_people, known))

    def keep_cameras(self, cameras: Collection[str]) -> None:
        """Delete what brokers retain about other cameras than these. A broker without an answer is left."""
        for destination_id, publisher in self._opened():
            self._try(destination_id, partial(publisher.keep_cameras, cameras))

    def close(self) -> None:
        """Publish `offline` everywhere, and disconnect."""
        with self._lock:
            publishers = list(self._publishers.values())
            self._publishers.clear()
        for each in publishers:
            each.close()

    def _opened(self) -> list[tuple[str, MqttPublisher]]:
        with self._lock:
            return [(destination_id, publisher) for (destination_id, _), publisher in self._publishers.items()]

    def _publisher(self, destination_id: str, url: str) -> MqttPublisher:
        address = self._address(url)
        with self._lock:
            if (destination_id, url) not in self._publishers:
                self._publishers[destination_id, url] = MqttPublisher(address, self._hosts, seconds=self._seconds)
            return self._publishers[destination_id, url]

    def _address(self, url: str) -> BrokerAddress:
        address = parse_broker(url)
        self._hosts.require_allowed(address)
        return address

    @staticmethod
    def _try(destination_id: str, act: Callable[[], object]) -> None:
        try:
            act()
        except (BrokerFailure, UrlNotAllowed) as failure:
            _log.warning("mqtt.failed", destination=destination_id, error=str(failure))
