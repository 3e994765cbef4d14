"""The clients of `reembed.py`, and the figures of their requests."""

import itertools
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx2
from reembed_gallery import COLLECTION


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its start and duration (seconds), its status, and for a probe whether rank 1 is correct."""

    started: float
    seconds: float
    status: int
    model: str = ""
    is_right: bool | None = None


@dataclass
class Traffic:
    """Clients that identify known people, and one that enrolls new ones, until the stop."""

    url: str
    probes: list[Path]
    newcomers: list[Path]
    pause: float
    identifications: list[Request] = field(default_factory=list)
    enrollments: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def identify(self) -> None:
        """Identify one photo after another."""
        rng = random.Random(threading.get_ident())
        with httpx2.Client(base_url=self.url, timeout=60) as client:
            while not self.stopping.wait(self.pause * rng.uniform(0.5, 1.5)):
                photo = rng.choice(self.probes)
                self.identifications.append(
                    _send(client, "/identify", {"photo": photo.read_bytes()}, {}, person=photo.parent.name)
                )

    def enroll(self) -> None:
        """Enroll every two seconds."""
        with httpx2.Client(base_url=self.url, timeout=60) as client:
            for number in itertools.count():
                if self.stopping.wait(2):
                    return
                photo = self.newcomers[number % len(self.newcomers)].read_bytes()
                fields = {"identity_id": f"new {uuid4()}", "face": "largest"}
                self.enrollments.append(_send(client, "/enroll", {"photos": photo}, fields))


def _send(
    client: httpx2.Client, path: str, photo: dict[str, bytes], fields: dict[str, str], person: str | None = None
) -> Request:
    started, clock = time.time(), time.perf_counter()
    try:
        answer = client.post(path, files=photo, data={"collection": COLLECTION, **fields})
    except httpx2.TransportError as error:
        print(f"  failed: {error!r}", flush=True)
        return Request(started, time.perf_counter() - clock, 0)
    seconds = time.perf_counter() - clock
    if not answer.is_success:
        print(f"  failed: {answer.status_code} {answer.text[:300]}", flush=True)
        return Request(started, seconds, answer.status_code)
    body = answer.json()
    first = {face["candidates"][0]["identity_id"] for face in body["faces"] if face.get("candidates")}
    return Request(started, seconds, answer.status_code, body.get("model", ""), person in first if person else None)


@contextmanager
def traffic_to(traffic: Traffic, clients: int) -> Iterator[None]:
    """Send requests within this context."""
    threads = [threading.Thread(target=traffic.identify) for _ in range(clients)]
    threads.append(threading.Thread(target=traffic.enroll))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        traffic.stopping.set()
        for thread in threads:
            thread.join()


def between(requests: Sequence[Request], first: float, last: float) -> list[Request]:
    """Return the requests that were active between two times."""
    return [request for request in requests if request.started + request.seconds >= first and request.started < last]


def print_figures(phase: str, requests: Sequence[Request]) -> None:
    """Print the figures of a phase."""
    if not requests:
        print(f"{phase:<24} no requests")
        return
    times = sorted(request.seconds * 1000 for request in requests)
    p50, p99 = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
    failed = sum(request.status != 200 for request in requests)
    right = [request.is_right for request in requests if request.is_right is not None]
    rank = f", rank-1 {sum(right) / len(right):.4f} of {len(right)}" if right else ""
    print(
        f"{phase:<24} {len(requests):>5} requests, {failed} failed, p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
        f"slowest {times[-1]:.0f} ms{rank}",
        flush=True,
    )
