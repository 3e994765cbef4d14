"""Receivers of events: one in memory, and a real HTTP server."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import update

from app.database import outbox
from app.database.delivery_tables import DeliveryLaneTable, DeliveryTable
from app.database.outbox import EventKind, NewEvent
from app.database.vault import Vault
from app.notify.delivery import Delivery, DeliveryFailed, DeliveryRecord
from app.notify.delivery_queue import DeliveryQueue
from app.notify.destination import DestinationKind, NewDestination
from app.notify.destination_store import DestinationStore
from app.notify.dispatcher import Dispatcher
from app.notify.lanes import Lane

LEASE = timedelta(seconds=30)


class FakeSender:
    """Records deliveries; those of the keys in `failing` raise their error."""

    def __init__(self) -> None:
        self.sent: list[Delivery] = []
        self.failing: dict[str, DeliveryFailed] = {}
        self.slow: dict[str, threading.Event] = {}
        self.got = threading.Condition()

    def origin(self, url: str) -> str:
        return url

    def send(self, delivery: Delivery) -> None:
        if delivery.event.key in self.slow:
            assert self.slow[delivery.event.key].wait(30)
        if delivery.event.key in self.failing:
            raise self.failing[delivery.event.key]
        with self.got:
            self.sent.append(delivery)
            self.got.notify_all()

    def wait_for(self, count: int) -> None:
        with self.got:
            assert self.got.wait_for(lambda: len(self.sent) >= count, 30)

    def numbers(self, key: str | None = None) -> list[int]:
        """Return the numbers of the events that `append` made, in the order of their deliveries."""
        return [each.event.data["number"] for each in self.sent if key in {None, each.event.key}]


def append(engine, *numbers: int, key: str = "camera:door", **members: Any) -> list[str]:
    """Commit events, each with its number."""
    kind = members.pop("kind", EventKind.PERSON_UNKNOWN)
    with engine.begin() as connection:
        return outbox.append(connection, *(NewEvent(kind, key, {"number": each}, **members) for each in numbers))


def new_destination(engine, secret: str | None = None, vault: Vault | None = None, **members: Any):
    """Store a destination."""
    new = NewDestination(**{"kind": DestinationKind.WEBHOOK, "url": "https://hooks.example/secret-path", **members})
    return DestinationStore(engine, vault or Vault(engine)).create(new, "https://hooks.example", secret)


def new_queue(engine, lease: timedelta = LEASE, vault: Vault | None = None) -> DeliveryQueue:
    return DeliveryQueue(engine, vault or Vault(engine), lease=lease)


def dispatch(engine) -> int:
    return Dispatcher(engine).dispatch()


def send_due(queue: DeliveryQueue, destination, sender: FakeSender) -> None:
    """Send what is due, one after another, as a worker does."""
    while (lane := queue.lanes.lease(destination.key)) is not None:
        while (delivery := queue.next(lane)) is not None:
            try:
                sender.send(delivery)
            except DeliveryFailed as failure:
                queue.failed(lane, delivery, failure)
                break
            assert queue.delivered(lane, delivery)
        queue.lanes.close(lane)


def leased(queue: DeliveryQueue, destination) -> Lane:
    lane = queue.lanes.lease(destination.key)
    assert lane is not None
    return lane


def first(queue: DeliveryQueue, lane: Lane) -> Delivery:
    delivery = queue.next(lane)
    assert delivery is not None
    return delivery


def waits(record: DeliveryRecord) -> timedelta:
    """Return the time from the queueing to the next attempt."""
    assert record.next_at is not None
    return record.next_at - record.queued_at


def hurry(engine) -> None:
    """Make all postponed lanes due."""
    with engine.begin() as connection:
        connection.execute(update(DeliveryLaneTable).values(next_at=datetime.now(UTC) - timedelta(minutes=1)))


def age(engine, by: timedelta) -> None:
    """Make all deliveries older."""
    with engine.begin() as connection:
        connection.execute(update(DeliveryTable).values(queued_at=datetime.now(UTC) - by))


@dataclass
class Hook:
    """A webhook: the requests that it got, and its answers by path (status and headers)."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]


@contextmanager
def webhook():
    """Yield a running webhook."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers = hook.answers.get(self.path, (204, {}))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()
