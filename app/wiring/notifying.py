"""Delivery of events, by the settings."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from app.notify.delivery import Sender
from app.notify.delivery_log import DeliveryLog
from app.notify.delivery_queue import DeliveryQueue
from app.notify.delivery_worker import LEASE_SENDS, DeliveryWorker
from app.notify.destination import DestinationKind
from app.notify.destination_service import DestinationService
from app.notify.destination_store import DestinationStore
from app.notify.dispatcher import Dispatcher
from app.notify.mqtt.hosts import BrokerHosts
from app.notify.webhook import WebhookSender
from app.remote.posting import Poster
from app.wiring.resources import Resources

if TYPE_CHECKING:
    from app.notify.mqtt.keeper import MqttKeeper
    from app.notify.mqtt.sender import MqttSender


class Notifying(Resources):
    """Resources of a process that delivers events."""

    @cached_property
    def senders(self) -> Mapping[DestinationKind, Sender]:
        """The senders of this process, by the kind of their destinations."""
        delivery = self.settings.delivery
        senders: dict[DestinationKind, Sender] = {
            DestinationKind.WEBHOOK: WebhookSender(Poster(delivery.hosts, seconds=delivery.seconds))
        }
        if self.mqtt_sender is not None:
            senders[DestinationKind.MQTT] = self.mqtt_sender
        return senders

    @cached_property
    def mqtt_sender(self) -> "MqttSender | None":
        """The sender to brokers; None: its library is not installed."""
        try:
            from app.notify.mqtt.sender import MqttSender  # noqa: PLC0415 - an extra
        except ImportError:
            return None
        return MqttSender(BrokerHosts(self.settings.delivery.hosts), seconds=self.settings.delivery.seconds)

    @cached_property
    def mqtt_keeper(self) -> "MqttKeeper | None":
        """The thread that keeps the connections to brokers; None: the library is not installed."""
        if self.mqtt_sender is None:
            return None
        from app.notify.mqtt.keeper import MqttKeeper  # noqa: PLC0415 - an extra

        return MqttKeeper(self.current_database.engine, self._destination_store, self.mqtt_sender)

    @cached_property
    def destinations(self) -> DestinationService:
        """The destinations of events, as callers manage them."""
        return DestinationService(self._destination_store, self.delivery_log, self.senders)

    @cached_property
    def _destination_store(self) -> DestinationStore:
        return DestinationStore(self.current_database.engine, self.current_database.vault)

    @cached_property
    def delivery_log(self) -> DeliveryLog:
        """The deliveries, as callers see them."""
        return DeliveryLog(self.current_database.engine)

    @cached_property
    def delivery_worker(self) -> DeliveryWorker:
        """The thread that delivers events."""
        database, seconds = self.current_database, self.settings.delivery.seconds
        queue = DeliveryQueue(database.engine, database.vault, lease=timedelta(seconds=LEASE_SENDS * seconds))
        return DeliveryWorker(Dispatcher(database.engine), queue, self.senders, seconds=seconds)
