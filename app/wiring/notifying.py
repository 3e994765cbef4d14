"""Delivery of events, by the settings."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property

from app.notify.delivery import Sender
from app.notify.delivery_log import DeliveryLog
from app.notify.delivery_queue import DeliveryQueue
from app.notify.delivery_worker import LEASE_SENDS, DeliveryWorker
from app.notify.destination import DestinationKind
from app.notify.destination_service import DestinationService
from app.notify.destination_store import DestinationStore
from app.notify.dispatcher import Dispatcher
from app.notify.webhook import WebhookSender
from app.remote.posting import Poster
from app.wiring.resources import Resources


class Notifying(Resources):
    """Resources of a process that delivers events."""

    @cached_property
    def senders(self) -> Mapping[DestinationKind, Sender]:
        """The senders of this process, by the kind of their destinations."""
        delivery = self.settings.delivery
        return {DestinationKind.WEBHOOK: WebhookSender(Poster(delivery.hosts, seconds=delivery.seconds))}

    @cached_property
    def destinations(self) -> DestinationService:
        """The destinations of events, as callers manage them."""
        database = self.current_database
        store = DestinationStore(database.engine, database.vault)
        return DestinationService(store, self.delivery_log, self.senders)

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
