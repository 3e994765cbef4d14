"""Measure the time until other replicas find a face that one replica has acknowledged.

    arcid db upgrade    # with ARCID_DATABASE_URL
    python benchmarks/replicas.py --database postgresql://... --images ../shared/lfw/images --replicas 3

All replicas are busy with enrollments and identifications. A person is enrolled through one replica and searched
through another until found, then deleted and searched until not found. Prints percentiles in seconds, which include the
time of the last request.
"""

import argparse
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import numpy as np
from service import HOST, running

_GIVE_UP = 10.0  # seconds


class People:
    """An endless supply of people, each with a photo."""

    def __init__(self, folder: Path) -> None:
        self._photos = sorted(folder.glob("*/*.jpg"))
        random.Random(0).shuffle(self._photos)
        self._numbers = iter(range(len(self._photos)))
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Return the next person; thread-safe."""
        while True:
            with self._lock:
                number = next(self._numbers)
            yield f"p{number}", self._photos[number].read_bytes()


def enroll(client: httpx2.Client, person: str, photo: bytes) -> bool:
    """Enroll; return whether the photo was good enough."""
    answer = client.post("/enroll", files={"photos": photo}, data={"identity_id": person, "face": "largest"})
    return answer.status_code == 200


def is_found(client: httpx2.Client, person: str, photo: bytes) -> bool:
    """Return whether a replica's index contains a person."""
    answer = client.post("/identify", files={"photo": photo}, data={"top_k": "3", "threshold": "-1"})
    answer.raise_for_status()
    return any(each["identity_id"] == person for face in answer.json()["faces"] for each in face["candidates"])


def load(client: httpx2.Client, people: People, stop: threading.Event) -> None:
    """Keep a replica busy."""
    for person, photo in people:
        if stop.is_set():
            return
        enroll(client, person, photo)
        is_found(client, person, photo)


def seconds_until(client: httpx2.Client, person: str, photo: bytes, *, is_wanted: bool) -> float:
    """Return the time until a person is found, or no longer found."""
    started = time.perf_counter()
    while time.perf_counter() - started < _GIVE_UP:
        if is_found(client, person, photo) is is_wanted:
            return time.perf_counter() - started
    raise SystemExit(f"{person} was not {'found' if is_wanted else 'gone'} after {_GIVE_UP} s")


def measure(clients: list[httpx2.Client], people: People, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds until enrollments and deletions are visible on another replica."""
    rng, enrolled, deleted = random.Random(1), [], []
    for (person, photo), _ in zip(people, range(rounds), strict=False):
        one, other = rng.sample(clients, 2)
        if not enroll(one, person, photo):
            continue
        enrolled.append(seconds_until(other, person, photo, is_wanted=True))
        one.delete(f"/collections/default/identities/{person}").raise_for_status()
        if is_found(one, person, photo):
            raise SystemExit(f"{person} was deleted and is found through the replica that answered")
        deleted.append(seconds_until(other, person, photo, is_wanted=False))
    return enrolled, deleted


def main() -> None:
    """Read the options, start the replicas, print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="URL of a PostgreSQL database that is up to date")
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    people, stop = People(options.images), threading.Event()
    with ExitStack() as stack:
        ports = [
            stack.enter_context(running({"ARCID_DATABASE_URL": options.database})).port for _ in range(options.replicas)
        ]
        clients = [stack.enter_context(httpx2.Client(base_url=f"http://{HOST}:{port}", timeout=60)) for port in ports]
        busy = [threading.Thread(target=load, args=(client, people, stop)) for client in clients]
        for each in busy:
            each.start()
        try:
            enrolled, deleted = measure(clients, people, options.rounds)
        finally:
            stop.set()
            for each in busy:
                each.join()
    print(f"{options.replicas} replicas, each busy; seconds until the others know")
    for what, seconds in (("enrolled", enrolled), ("deleted", deleted)):
        p50, p99, most = np.percentile(seconds, [50, 99, 100])
        print(f"{what:>10}: p50 {p50:.3f}  p99 {p99:.3f}  max {most:.3f}  ({len(seconds)})")


if __name__ == "__main__":
    main()
