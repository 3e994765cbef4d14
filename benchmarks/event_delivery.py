"""Kill the service, the receivers and the broker in turn, and check that every acknowledged event arrives in order.

    python benchmarks/event_delivery.py --kills 1000
    python benchmarks/event_delivery.py --kills 300 --no-mqtt

Clients rename a person of each collection repeatedly over HTTP: `p-0` to `p-1`, `p-1` to `p-2`. Each rename
commits two events, so the committed names determine all events. A webhook and a subscriber of MQTT store what they get.
At the end, each of them must have every event of every rename, in the order of the renames of its collection, and no
other event. An event may arrive again, but never after a later one of its collection. Exit status 1 otherwise.
"""

import argparse
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from event_receiver import read_record

_HOST = "127.0.0.1"
_RECEIVER = Path(__file__).parent / "event_receiver.py"
_SUBJECTS = "/api/v1/recognition/subjects"
_READY_S, _STANDSTILL_S = 120.0, 60.0
_LONGEST_LIFE_S = 1.0  # of all processes between two kills
_AWAY = (httpx2.TransportError,)

Event = tuple[str, str, str | None]
"""Kind, identity, and the identity that a rename leads to."""


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.create_server((_HOST, 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Program:
    """A process that can be killed and started again."""

    name: str
    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    wait: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=output, stderr=output)
        self.wait()

    def kill(self) -> None:
        """Kill it without a warning."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


@dataclass
class Renames:
    """A client that renames one person of a collection until it is stopped."""

    collection: str
    url: str
    stop: threading.Event
    acknowledged: int = 0
    """Number in the name of the last rename that was answered with success."""

    def run(self) -> None:
        """Rename repeatedly; after a broken connection, look up how far the renames got."""
        with httpx2.Client(base_url=self.url, timeout=20, params={"collection": self.collection}) as client:
            number = 0
            while not self.stop.is_set():
                try:
                    answer = client.put(f"{_SUBJECTS}/p-{number}", json={"subject": f"p-{number + 1}"})
                    if answer.status_code == 200:
                        number = self.acknowledged = number + 1
                    else:
                        number = self.committed(client)
                except _AWAY:
                    time.sleep(0.05)
                    number = self.committed(client)

    def committed(self, client: httpx2.Client) -> int:
        """Return the number in the person's name, once the service answers."""
        while True:
            try:
                answer = client.get(_SUBJECTS)
                if answer.status_code == 200:
                    (name,) = answer.json()["subjects"]
                    return int(name.removeprefix("p-"))
            except _AWAY:
                pass
            time.sleep(0.05)


class Stage:
    """All processes of a run, in a folder."""

    def __init__(self, folder: Path, *, has_mqtt: bool) -> None:
        self._folder = folder
        self.url = f"http://{_HOST}:{free_port()}"
        self.service = Program(
            "service",
            [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", self.url.rpartition(":")[2]],
            folder / "service.log",
            {**os.environ, "ARCID_DATA_DIR": str(folder / "data"), "ARCID_MODELS_DIR": _models_folder()}
            | {"ARCID_DELIVERY__HOSTS": _HOST, "ARCID_DELIVERY__SECONDS": "1"},
            self._wait_for_service,
        )
        self.hook_port, self.broker_port = free_port(), free_port()
        self.records = {"webhook": folder / "webhook.ndjson"}
        self.programs = [self.service]
        self._has_mqtt = has_mqtt

    def prepare(self, collections: list[str]) -> None:
        """Start everything, with a person in each collection."""
        self.service.start()
        if self._has_mqtt:
            self._add_mqtt()
        with httpx2.Client(base_url=self.url, timeout=60) as client:
            webhook = {"kind": "webhook", "url": f"http://{_HOST}:{self.hook_port}/", "kinds": _KINDS}
            secret = _ok(client.post("/destinations", json=webhook))["secret"]
            if self._has_mqtt:
                mqtt = {"kind": "mqtt", "url": f"mqtt://{_HOST}:{self.broker_port}/arcid", "kinds": _KINDS}
                _ok(client.post("/destinations", json=mqtt))
            for each in collections:
                _ok(client.post("/collections", json={"name": each}))
                _ok(client.post(_SUBJECTS, params={"collection": each}, json={"subject": "p-0"}))
        arguments = ["webhook", str(self.hook_port), secret]
        self._add(Program("receiver", _receiver(self.records["webhook"], *arguments), self._folder / "receiver.log"))

    def _add_mqtt(self) -> None:
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"user root\nlistener {self.broker_port} {_HOST}\nallow_anonymous true\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {self._folder}/\nautosave_interval 1\nautosave_on_changes true\n"
        )
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        log = self._folder / "broker.log"
        self._add(Program("broker", [program, "-c", str(config)], log, wait=lambda: _wait_for_port(self.broker_port)))
        self.records["mqtt"] = self._folder / "mqtt.ndjson"
        command = _receiver(self.records["mqtt"], "mqtt", str(self.broker_port))
        self._add(Program("subscriber", command, self._folder / "subscriber.log"))
        time.sleep(2)  # until the broker has stored the subscription

    def _add(self, program: Program) -> None:
        program.start()
        self.programs.append(program)

    def _wait_for_service(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            try:
                if httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except _AWAY:
                time.sleep(0.05)
        raise SystemExit(f"the service did not become ready: {self.service.log.read_text()[-3000:]}")

    def end(self) -> None:
        """Kill everything."""
        for each in self.programs:
            each.kill()


_KINDS = ["enrollment.added", "enrollment.removed"]


def expected_events(renames: int) -> list[Event]:
    """Return the events of a new person and of their renames, in order."""
    events: list[Event] = [("enrollment.added", "p-0", None)]
    for number in range(renames):
        events.append(("enrollment.removed", f"p-{number}", f"p-{number + 1}"))
        events.append(("enrollment.added", f"p-{number + 1}", None))
    return events


def violations(received: list[dict[str, Any]], renames: dict[str, int]) -> list[str]:
    """Return what is wrong with the events that a receiver got; `renames` is their number by collection."""
    found, first, last = [], defaultdict[str, list[Event]](list), defaultdict[str, int](int)
    seen: set[str] = set()
    for content in received:
        data = content["data"]
        collection = data["collection"]
        if data["position"] < last[collection]:
            found.append(f"{collection}: position {data['position']} arrived after {last[collection]}")
        last[collection] = max(last[collection], data["position"])
        if data["event_id"] not in seen:
            seen.add(data["event_id"])
            first[collection].append((content["type"], data["identity_id"], data.get("into")))
    for collection, number in renames.items():
        if first[collection] != (expected := expected_events(number)):
            missing = [each for each in expected if each not in first[collection]]
            more = [each for each in first[collection] if each not in expected]
            found.append(f"{collection}: {len(missing)} missing, {len(more)} invented, or another order: {missing[:3]}")
    return found + [f"{each}: no such collection" for each in first.keys() - renames.keys()]


def run(
    kills: int,
    *,
    keys: int,
    has_mqtt: bool,
    folder: Path,
    minutes: float = math.inf,
    report: Callable[[str], None] = print,
) -> list[str]:
    """Kill processes in turn while clients work, at most for some minutes; return the violations."""
    stage, stop = Stage(folder, has_mqtt=has_mqtt), threading.Event()
    clients = [Renames(f"door-{number}", stage.url, stop) for number in range(keys)]
    try:
        stage.prepare([each.collection for each in clients])
        threads = [threading.Thread(target=each.run) for each in clients]
        for thread in threads:
            thread.start()
        _kill_in_turn(stage, kills, time.monotonic() + 60 * minutes, report)
        stop.set()
        for thread in threads:
            thread.join()
        return _checked(stage, clients, report)
    finally:
        stop.set()
        stage.end()


def _kill_in_turn(stage: Stage, kills: int, until: float, report: Callable[[str], None]) -> None:
    done: Counter[str] = Counter()
    for number in range(kills):
        if time.monotonic() > until:
            break
        time.sleep(random.uniform(0, _LONGEST_LIFE_S))
        victim = stage.programs[number % len(stage.programs)]
        victim.kill()
        victim.start()
        done[victim.name] += 1
    counts = ", ".join(f"{count} of the {name}" for name, count in done.items())
    report(f"{done.total()} kills: {counts}")


def _checked(stage: Stage, clients: list[Renames], report: Callable[[str], None]) -> list[str]:
    """Wait until everything is delivered, and compare what arrived with what was committed."""
    with httpx2.Client(base_url=stage.url, timeout=60) as client:
        renames = {}
        for each in clients:
            (name,) = _ok(client.get(_SUBJECTS, params={"collection": each.collection}))["subjects"]
            renames[each.collection] = int(name.removeprefix("p-"))
            if renames[each.collection] < each.acknowledged:
                return [f"{each.collection}: an acknowledged rename is missing"]
        _drain(client)
    time.sleep(1)  # for the last messages of the broker
    found = []
    report(f"{sum(renames.values())} renames")
    for name, path in stage.records.items():
        received = read_record(path)
        wrong = violations(received, renames)
        again = len(received) - len({each["data"]["event_id"] for each in received})
        report(f"{name}: {len(received)} events, {again} of them again; {len(wrong)} violations")
        found += [f"{name}: {each}" for each in wrong]
    return found


def _drain(client: httpx2.Client) -> None:
    """Wait while the number of deliveries that wait falls: a broker that saves each message takes some a second."""
    pending, deadline = math.inf, time.monotonic() + _STANDSTILL_S
    while pending and time.monotonic() < deadline:
        now = float(client.get("/metrics").text.partition("\narcid_deliveries_pending ")[2].partition("\n")[0])
        if now < pending:
            pending, deadline = now, time.monotonic() + _STANDSTILL_S
        time.sleep(0.2)


def _receiver(record: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(_RECEIVER), str(record), *arguments]


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((_HOST, port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"nothing listens to port {port}")


def _models_folder() -> str:
    return os.environ.get("ARCID_MODELS_DIR", str(Path(__file__).parent.parent / ".data"))


def _ok(answer: httpx2.Response) -> Any:
    if answer.status_code >= 300:
        raise SystemExit(f"{answer.request.url}: {answer.status_code} {answer.text}")
    return answer.json()


def main() -> None:
    """Run the kills and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop killing after this time")
    parser.add_argument("--keys", type=int, default=3, help="collections, each with an ordering key")
    parser.add_argument("--no-mqtt", action="store_true", help="without a broker and its subscriber")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arcid-events-") as folder:
        wrong = run(
            options.kills,
            keys=options.keys,
            has_mqtt=not options.no_mqtt,
            folder=Path(folder),
            minutes=options.minutes,
        )
    sys.stdout.write("".join(f"{each}\n" for each in wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
