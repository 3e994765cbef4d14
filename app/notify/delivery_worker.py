"""The delivery worker: dispatches new events, and sends their deliveries in threads of each destination."""

import threading
import time
from collections import Counter
from collections.abc import Mapping

from app.notify.delivery import Delivery, DeliveryFailed, DeliveryState, Sender
from app.notify.delivery_queue import DeliveryQueue
from app.notify.destination import DestinationKind
from app.notify.dispatcher import Dispatcher
from app.notify.lanes import Lane
from app.observability.logs import get_logger
from app.periodic_worker import PASSING, PeriodicWorker, reason_of

_log = get_logger(__name__)

LEASE_SENDS = 3
"""A lease lasts for this many sends; another process continues after it if this one dies."""
_EVERY_S = 0.25
_THREADS = 4
"""Threads of a destination in one process: a slow ordering key does not delay the others."""


class DeliveryCounts:
    """Attempts of this process by their outcome. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, outcome: str) -> None:
        """Count an attempt: `delivered`, `failed`, or `dead` for the last one."""
        with self._lock:
            self._counts[outcome] += 1

    def snapshot(self) -> Mapping[str, int]:
        """Return the counts."""
        with self._lock:
            return dict(self._counts)


class DeliveryWorker(PeriodicWorker):
    """A thread that dispatches events; it starts threads for each destination with due deliveries.

    No destination waits for another. Threads end when nothing is due.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        queue: DeliveryQueue,
        senders: Mapping[DestinationKind, Sender],
        *,
        seconds: float,
        every: float = _EVERY_S,
    ) -> None:
        """`seconds` is the longest time that a sender takes; the leases of `queue` last for `LEASE_SENDS` of it."""
        super().__init__("delivery", every=every)
        self._dispatcher = dispatcher
        self._queue = queue
        self._senders = senders
        self._seconds = seconds
        self._threads: dict[int, list[threading.Thread]] = {}
        self.counts = DeliveryCounts()

    def stop(self) -> None:
        """Stop, and wait for the current sends."""
        super().stop()
        deadline = time.monotonic() + self._seconds
        for thread in [each for threads in self._threads.values() for each in threads]:
            thread.join(max(deadline - time.monotonic(), 0))

    def step(self) -> None:
        """Dispatch new events, and start threads for what is due."""
        while self._dispatcher.dispatch() and not self._stopping.is_set():
            pass
        for destination, lanes in self._queue.lanes.due().items():
            running = [each for each in self._threads.get(destination, []) if each.is_alive()]
            self._threads[destination] = running
            for _ in range(min(lanes, _THREADS) - len(running)):
                thread = threading.Thread(target=self._work, args=(destination,), name="arcid-deliver", daemon=True)
                running.append(thread)
                thread.start()

    def _work(self, destination: int) -> None:
        """Send what is due to a destination."""
        try:
            while not self._stopping.is_set() and (lane := self._queue.lanes.lease(destination)) is not None:
                self._send_all(lane)
        except PASSING as error:  # the lease ends, and the next thread tries again
            _log.warning("delivery.interrupted", error=reason_of(error))

    def _send_all(self, lane: Lane) -> None:
        """Send the deliveries of a lane in order, until one fails or none is left."""
        leased_at = time.monotonic()
        while not self._stopping.is_set():
            delivery = self._queue.next(lane)
            if delivery is None:
                break
            if time.monotonic() - leased_at > (LEASE_SENDS - 1) * self._seconds:  # it could end during the send
                if not self._queue.lanes.renew(lane):
                    return
                leased_at = time.monotonic()
            if not self._send(lane, delivery):
                return
            leased_at = time.monotonic()
        self._queue.lanes.close(lane)

    def _send(self, lane: Lane, delivery: Delivery) -> bool:
        """Send one delivery and note the outcome; return whether to continue with the lane."""
        try:
            self._sender(delivery.destination.kind).send(delivery)
        except DeliveryFailed as failure:
            state = self._queue.failed(lane, delivery, failure)
            is_dead = state is DeliveryState.DEAD
            self.counts.add("dead" if is_dead else "failed")
            if is_dead or delivery.attempt == 1:
                self._log_failure(delivery, failure, state)
            return False
        self.counts.add("delivered")
        return self._queue.delivered(lane, delivery)

    def _sender(self, kind: DestinationKind) -> Sender:
        sender = self._senders.get(kind)
        if sender is None:
            raise DeliveryFailed(f"this process cannot send to the kind {kind}")
        return sender

    @staticmethod
    def _log_failure(delivery: Delivery, failure: DeliveryFailed, state: DeliveryState) -> None:
        _log.warning(
            "delivery.failed",
            destination=delivery.destination.destination_id,
            event_id=delivery.event.event_id,
            kind=delivery.event.kind,
            attempt=delivery.attempt,
            state=state.value,
            error=failure.reason,
        )
