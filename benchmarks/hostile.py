"""Check that the service survives attacks: start it, attack it, and time honest clients in parallel.

    python benchmarks/hostile.py                      # all of it, 10,000 damaged requests
    python benchmarks/hostile.py --only damaged --count 500

`damaged`: photos, framing, JSON, base64, headers and cursors of all routes. `bombs`: small files that expand. `slow`:
heads and bodies that trickle, answers that stay unread. `crowd`: 1,000 simultaneous clients. Each line shows the
answers, the resident memory before, at the maximum and after, and the times of honest clients. Exit status 1 with the
violations: a 500, an unfinished request, failed honest clients, memory beyond its bound.
"""

import argparse
import asyncio
import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import skimage
from hostile_bombs import bodies, photos
from hostile_clients import HOST, Honest, ask_all, dawdle, never_read
from hostile_requests import Mutator, Request
from PIL import Image

_READ_SECONDS = 3
_AT_ONCE = 8
_DAWDLERS = 300
_CROWD = 1000
_REFUSED = {400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 503}
_FINE = {200, 201, 204, 307, *_REFUSED}
_MOST_MIB = 2000
"""Bound above the memory at rest: bodies (256 MB, briefly four times that while JSON is decoded) and photos."""


@dataclass(frozen=True)
class Attacked:
    """A running service to attack."""

    port: int
    process: subprocess.Popen[bytes]
    key: str
    log: Path

    def resident(self) -> float:
        """Return its resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def get(self, path: str) -> bytes:
        """Return an answer to a GET."""
        request = urllib.request.Request(f"http://{HOST}:{self.port}{path}", headers={"X-Api-Key": self.key})
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
            return bytes(answer.read())


@contextmanager
def attacked() -> Iterator[Attacked]:
    """Start `arcid serve` with a key on an empty temporary database; stop it at the end."""
    arcid = [sys.executable, "-c", "from app.cli import main; main()"]
    with tempfile.TemporaryDirectory(prefix="arcid-hostile-") as folder, socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        variables = {"ARCID_DATA_DIR": folder, "ARCID_LIMITS__READ_SECONDS": str(_READ_SECONDS)}
        environment = {"ARCID_MODELS_DIR": str(Path(__file__).parents[1] / ".data"), **os.environ, **variables}
        create = [*arcid, "keys", "create", "hostile", "--scope", "admin"]
        key = subprocess.run(create, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen([*arcid, "serve", "--port", str(port)], env=environment, stderr=output)
        service = Attacked(port, process, key, log)
        try:
            _wait(service)
            yield service
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait(service: Attacked) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and service.process.poll() is None:
        try:
            service.get("/readyz")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the service did not start")


class Memory:
    """Context: the maximum resident memory of a service, in MiB."""

    def __init__(self, service: Attacked) -> None:
        self.before = self.peak = self.after = service.resident()
        self._service = service
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Start to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Record the maximum."""
        self._ends.set()
        self._thread.join()
        self.after = self._service.resident()

    def _watch(self) -> None:
        while not self._ends.wait(0.01):
            self.peak = max(self.peak, self._service.resident())


class Attack:
    """Attacks on one service, and their violations."""

    def __init__(self, service: Attacked) -> None:
        self._service = service
        with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as portrait:
            data = io.BytesIO()
            portrait.convert("RGB").save(data, "JPEG")
        self._photo = data.getvalue()
        self.wrong: list[str] = []
        headers = {"X-Api-Key": service.key, "Content-Type": "application/json"}
        photo = base64.b64encode(self._photo).decode()
        self._send("/collections", {"name": "honest"})
        self._send("/enroll", {"photos": [photo], "identity_id": "eileen", "collection": "honest"})
        self._identify = ("/identify", headers, json.dumps({"photo": photo, "collection": "honest"}).encode())

    def run(self, name: str, attack: Callable[[], Counter[str]], *, may_refuse: bool = False) -> None:
        """Attack while honest clients send requests; print a line and record violations."""
        with Memory(self._service) as memory, Honest(self._service.port, self._identify) as honest:
            started = time.perf_counter()
            seen = attack()
            seconds = time.perf_counter() - started
        answers = ", ".join(f"{count} {kind}" for kind, count in sorted(seen.items()))
        fared = ", ".join(f"{count} {kind}" for kind, count in sorted(honest.answers.items()))
        print(f"{name}: {answers} in {seconds:.0f} s")
        print(f"    memory {memory.before:.0f} MiB before, {memory.peak:.0f} peak, {memory.after:.0f} after")
        print(f"    honest clients: {fared}; p50 {honest.quantile(0.5):.0f} ms, p99 {honest.quantile(0.99):.0f} ms")
        self.wrong += [f"{name}: {kind}" for kind in seen if kind.startswith("WRONG")]
        self.wrong += [
            f"{name}: honest clients: {kind}" for kind in honest.answers if "failed" in kind or "not up" in kind
        ]
        if honest.answers["asked to retry"] and not may_refuse:
            self.wrong.append(f"{name}: honest clients were asked to retry")
        if not honest.answers["served"]:
            self.wrong.append(f"{name}: no honest client was served")
        if memory.peak - memory.before > _MOST_MIB:
            self.wrong.append(f"{name}: memory rose by {memory.peak - memory.before:.0f} MiB")
        if self._service.process.poll() is not None:
            raise SystemExit(f"{name}: the service ended\n{self._service.log.read_text()[-3000:]}")

    def damaged(self, count: int) -> Counter[str]:
        """Send damaged requests to all routes."""
        mutator = Mutator(json.loads(self._service.get("/openapi.json")), self._photo, self._service.key)
        kinds: dict[str, list[bytes]] = {}
        for seed in range(count):
            kind, request = mutator.request(seed)
            kinds.setdefault(kind, []).append(request.wire())
        seen: Counter[str] = Counter()
        for kind, wires in kinds.items():
            answers = self._answers(wires, _AT_ONCE)
            print(f"    {kind}: " + ", ".join(f"{number} {status}" for status, number in sorted(answers.items())))
            seen += answers
        return seen

    def bombs(self) -> Counter[str]:
        """Send each bomb several times in parallel."""
        seen: Counter[str] = Counter()
        for name, data in photos():
            body = json.dumps({"photo": base64.b64encode(data).decode()}).encode()
            seen += self._bomb(name, [self._wire("/detect", "application/json", body)] * 2)
        for name, content_type, body in bodies():
            headers = {"Content-Encoding": "gzip"} if "gzip" in content_type else {}
            seen += self._bomb(name, [self._wire("/enroll", content_type.partition("; g")[0], body, **headers)] * 2)
        return seen

    def slow(self) -> Counter[str]:
        """Let some clients send slowly, and others not read."""
        port = self._service.port
        announced = Request("POST", "/identify", {"X-Api-Key": self._service.key, "Content-Length": "1000"}).wire()
        asking = Request("GET", "/docs/assets/swagger-ui-bundle.js").wire()
        seconds = 4 * _READ_SECONDS

        async def run() -> tuple[list[bytes], list[bytes], list[bool]]:
            heads = [dawdle(port, b"POST /identify HTTP/1.1\r\nX: ", b"x", seconds) for _ in range(_DAWDLERS)]
            sent = [dawdle(port, announced, b"x", seconds) for _ in range(_DAWDLERS)]
            deaf = [never_read(port, asking, seconds) for _ in range(_DAWDLERS // 3)]
            done = await asyncio.gather(asyncio.gather(*heads), asyncio.gather(*sent), asyncio.gather(*deaf))
            return done[0], done[1], done[2]

        heads, sent, deaf = asyncio.run(run())
        seen = Counter("head cut" if not each else "WRONG head answered" for each in heads)
        seen.update("body cut (408)" if b" 408 " in each[:20] or not each else "WRONG body" for each in sent)
        seen.update("deaf client cut" if each else "WRONG deaf client kept" for each in deaf)
        return seen

    def crowd(self) -> Counter[str]:
        """Let 1,000 clients identify a person at the same time."""
        path, headers, body = self._identify
        return self._answers([self._wire(path, headers["Content-Type"], body)] * _CROWD, _CROWD)

    def look_at_the_log(self) -> None:
        """Check the log and the metrics of the service."""
        log = self._service.log.read_text(errors="replace")
        for sign in ("Traceback", "request.failed", "Warning:", "status=500", self._service.key.split("_", 2)[2]):
            if sign in log:
                at = log.index(sign)
                self.wrong.append(f"the log has {sign}: {log[max(0, at - 500) : at + 2500]}")

    def _bomb(self, name: str, wires: list[bytes]) -> Counter[str]:
        with Memory(self._service) as memory:
            answers = self._answers(wires, len(wires))
        statuses = ", ".join(f"{number} {status}" for status, number in sorted(answers.items()))
        print(f"    {name} ({len(wires[0]):,} bytes): {statuses}; + {memory.peak - memory.before:.0f} MiB")
        return answers

    def _answers(self, wires: list[bytes], at_once: int) -> Counter[str]:
        statuses = asyncio.run(ask_all(self._service.port, wires, at_once=at_once))
        named = {0: "closed", -1: "WRONG without an end"}
        seen: Counter[str] = Counter()
        for status, number in statuses.items():
            seen[named.get(status) or (str(status) if status in _FINE else f"WRONG {status}")] += number
        return seen

    def _wire(self, path: str, content_type: str, body: bytes, **headers: str) -> bytes:
        return Request(
            "POST", path, {"X-Api-Key": self._service.key, "Content-Type": content_type, **headers}, body
        ).wire()

    def _send(self, path: str, fields: dict[str, object]) -> None:
        wire = self._wire(path, "application/json", json.dumps(fields).encode())
        (status,) = asyncio.run(ask_all(self._service.port, [wire], at_once=1))
        if status not in {200, 201}:
            raise SystemExit(f"{path}: {status}")


def main() -> None:
    """Attack and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["damaged", "bombs", "slow", "crowd"])
    parser.add_argument("--count", type=int, default=10_000, help="how many damaged requests")
    options = parser.parse_args()
    with attacked() as service:
        attack = Attack(service)
        if options.only in {None, "damaged"}:
            attack.run("damaged", lambda: attack.damaged(options.count))
        if options.only in {None, "bombs"}:
            attack.run("bombs", attack.bombs, may_refuse=True)  # photos of 49 megapixels keep all cores busy
        if options.only in {None, "slow"}:
            attack.run("slow", attack.slow)
        if options.only in {None, "crowd"}:
            attack.run("crowd", attack.crowd, may_refuse=True)
        attack.look_at_the_log()
    for each in attack.wrong:
        print(f"WRONG: {each}")
    raise SystemExit(1 if attack.wrong else 0)


if __name__ == "__main__":
    main()
