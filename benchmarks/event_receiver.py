"""A receiver of events that can be killed at any moment: a webhook, or a subscriber of MQTT.

    python benchmarks/event_receiver.py FILE webhook PORT SECRET
    python benchmarks/event_receiver.py FILE mqtt PORT

It appends each event to a file and syncs it before it acknowledges the event. `benchmarks/event_delivery.py` starts it.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from standardwebhooks import Webhook, WebhookVerificationError


class Record:
    """A file with one event a line. A line that a kill has cut short was never acknowledged."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes() if path.exists() else b""
        self._file: BinaryIO = path.open("ab")
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")
        self._lock = threading.Lock()

    def add(self, content: dict[str, Any]) -> None:
        """Append an event and wait until it is on the disk."""
        with self._lock:
            self._file.write(json.dumps(content).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_record(path: Path) -> list[dict[str, Any]]:
    """Return the events in a file, in the order of their arrival."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [content for line in lines if (content := _parsed(line)) is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except ValueError:  # cut short by a kill
        return None
    return content if isinstance(content, dict) else None


def serve_webhook(record: Record, port: int, secret: str) -> None:
    """Receive webhooks until the process is killed."""
    verifier = Webhook(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                record.add(verifier.verify(body, {name.lower(): value for name, value in self.headers.items()}))
                self.send_response(204)
            except WebhookVerificationError:
                self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def subscribe(record: Record, port: int) -> None:
    """Receive messages of a broker until the process is killed; the broker keeps the session."""
    from paho.mqtt.client import Client, MQTTMessage  # noqa: PLC0415 - an extra
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: PLC0415

    client = Client(CallbackAPIVersion.VERSION2, "receiver", clean_session=False, protocol=MQTTProtocolVersion.MQTTv311)
    client.reconnect_delay_set(1, 1)

    def connected(*_: object) -> None:
        client.subscribe("arcid/events/#", 1)

    def received(_client: Client, _data: object, message: MQTTMessage) -> None:
        record.add(json.loads(message.payload))

    client.on_connect, client.on_message = connected, received  # acknowledged after on_message
    client.connect_async("127.0.0.1", port, keepalive=5)
    client.loop_forever(retry_first_connection=True)


if __name__ == "__main__":
    file, kind, number, *rest = sys.argv[1:]
    if kind == "webhook":
        serve_webhook(Record(Path(file)), int(number), rest[0])
    else:
        subscribe(Record(Path(file)), int(number))
