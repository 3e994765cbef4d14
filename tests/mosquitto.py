"""A real broker of MQTT (Debian's mosquitto) that a test may stop and start, and a subscriber."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

DEADLINE_S = 20
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Broker:
    folder: Path
    settings: str
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        own = f"user root\nlistener {self.port} 127.0.0.1\npersistence true\npersistence_location {self.folder}/"
        config.write_text(f"{own}\n{self.settings}\n")
        command = [str(PROGRAM), "-v", "-c", str(config)]
        with self.log.open("ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < end, "the broker does not start"
                time.sleep(0.02)
            else:
                return

    @property
    def log(self) -> Path:
        return self.folder / "mosquitto.log"

    def wait_for_subscription(self, topic: str) -> None:
        """Wait until a program has subscribed to a topic."""
        end = time.monotonic() + DEADLINE_S
        while f"{topic} (QoS" not in self.log.read_text("utf-8", "replace"):
            assert time.monotonic() < end, f"nobody subscribes to {topic}"
            time.sleep(0.05)

    def stop(self) -> None:
        self.processes[-1].terminate()
        self.processes[-1].wait(DEADLINE_S)

    def kill(self) -> None:
        self.processes[-1].kill()
        self.processes[-1].wait(DEADLINE_S)


@contextmanager
def broker_in(folder: Path, settings: str = "allow_anonymous true") -> Iterator[Broker]:
    """Run a broker that keeps its state in a folder."""
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed: .ci/install mosquitto")
    broker = Broker(folder, settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Subscriber:
    """A subscriber. If it has a name, its session survives its own and the broker's restarts."""

    def __init__(self, port: int, *filters: str, name: str | None = "subscriber", prepare=lambda _: None) -> None:
        self.messages: Queue[MQTTMessage] = Queue()
        version = MQTTProtocolVersion.MQTTv311
        self._client = Client(CallbackAPIVersion.VERSION2, name or "", protocol=version, clean_session=name is None)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = lambda _, __, message: self.messages.put(message)
        prepare(self._client)
        ready: Queue[None] = Queue()

        def subscribe(*_: object) -> None:
            self._client.subscribe([(each, 1) for each in filters])

        self._client.on_connect = subscribe
        self._client.on_subscribe = lambda *_: ready.put(None)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        ready.get(timeout=DEADLINE_S)

    def next(self) -> MQTTMessage:
        return self.messages.get(timeout=DEADLINE_S)

    def until(self, topic: str) -> list[MQTTMessage]:
        """Return the messages up to the first of a topic."""
        received = [self.next()]
        while received[-1].topic != topic:
            received.append(self.next())
        return received

    def publish(self, topic: str, payload: str = "", *, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain=retain).wait_for_publish(DEADLINE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def retained(port: int, *filters: str) -> dict[str, bytes]:
    """Return what a program receives that subscribes now, by topic."""
    subscriber = Subscriber(port, *filters, "end", name=None)
    subscriber.publish("end")
    received = subscriber.until("end")[:-1]
    subscriber.close()
    return {each.topic: bytes(each.payload) for each in received}
