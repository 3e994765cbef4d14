"""Check that a killed service loses nothing: enroll and delete without a pause, and kill it at random times.

    python benchmarks/crash.py --images ../shared/lfw/images --kills 200
    python benchmarks/crash.py --images ../shared/lfw/images --kills 200 --database postgresql://...

After each restart, all acknowledged enrollments must be identified, and no deleted person may be found. A request that
was running must be complete or have no effect, and repeating it must give one enrollment. At intervals,
`arcid index verify` must report that index and database agree. Exit status 1 with the first violation.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

_CLIENTS = 3
_LONGEST_LIFE = 2.0  # seconds from the first request to the kill
_CHECKED = 12  # people of earlier rounds looked up after each restart
_VERIFY_EVERY = 20  # kills between two runs of `arcid index verify`
_AWAY = (httpx2.TransportError,)


class Lost(Exception):
    """An acknowledged result is missing."""


@dataclass
class Expected:
    """The acknowledged results. Each person is in one of the sets, or was never acknowledged."""

    enrolled: dict[str, Path] = field(default_factory=dict)
    deleted: dict[str, Path] = field(default_factory=dict)
    enrolling: dict[str, Path] = field(default_factory=dict)
    deleting: dict[str, Path] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def touched(self) -> set[str]:
        """Return all people with a known state."""
        return {*self.enrolled, *self.deleted}


@dataclass(frozen=True)
class Place:
    """The data folder and the command line of the service."""

    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """Return the command that starts `arcid`."""
        return [sys.executable, "-c", "from app.cli import main; main()", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `arcid` and wait for it."""
        return subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )


@contextmanager
def serving(place: Place, log: Path) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    """Start the service and wait until it is ready; kill it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with log.open("ab") as output:
        process = subprocess.Popen(
            place.command("serve", "--port", str(port)), env=place.environment, stdout=output, stderr=output
        )
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                _wait(client, process)
                yield client, process
        finally:
            process.kill()
            process.wait()


def _wait(client: httpx2.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except _AWAY:
            time.sleep(0.05)
    raise Lost("the service did not become ready again")


def work(client: httpx2.Client, expected: Expected, photos: Iterator[tuple[str, Path]], stop: threading.Event) -> None:
    """Enroll and delete until the service stops."""
    rng = random.Random()
    while not stop.is_set():
        try:
            if expected.enrolled and rng.random() < 0.4:
                _delete_one(client, expected, rng)
            else:
                with expected.lock:
                    person, photo = next(photos)
                    expected.enrolling[person] = photo
                _enroll(client, expected, person, photo)
        except _AWAY:
            return
        except Lost as error:
            expected.lost.append(error)
            return


def _enroll(client: httpx2.Client, expected: Expected, person: str, photo: Path) -> None:
    answer = client.post(
        "/enroll",
        files={"photos": photo.read_bytes()},
        data={"identity_id": person, "face": "largest"},
        headers={"Idempotency-Key": person},
    )
    if answer.status_code not in {200, 422}:  # 422: no face, or low quality
        raise Lost(f"enrolling {person} answered {answer.status_code}: {answer.text}")
    with expected.lock:
        expected.enrolling.pop(person)
        if answer.status_code == 200:
            expected.enrolled[person] = photo


def _delete_one(client: httpx2.Client, expected: Expected, rng: random.Random) -> None:
    with expected.lock:
        person = rng.choice(list(expected.enrolled))
        photo = expected.deleting[person] = expected.enrolled.pop(person)
    answer = client.delete(f"/collections/default/identities/{person}")
    if answer.status_code != 200:
        raise Lost(f"deleting {person} answered {answer.status_code}: {answer.text}")
    with expected.lock:
        expected.deleted[person] = expected.deleting.pop(person, photo)


def settle(client: httpx2.Client, expected: Expected) -> None:
    """Repeat the requests that were running at the kill. Each took effect completely or not at all, and now once."""
    for person, photo in list(expected.enrolling.items()):
        _enroll(client, expected, person, photo)
        if person in expected.enrolled:
            faces = client.post("/verify", files={"probe": photo.read_bytes()}, data={"identity_id": person}).json()
            if faces["reference_face"]["faces"] != 1:
                raise Lost(f"{person} was enrolled twice")
    for person, photo in list(expected.deleting.items()):
        status = client.delete(f"/collections/default/identities/{person}").status_code
        if status not in {200, 404}:
            raise Lost(f"deleting {person} again answered {status}")
        expected.deleted[person] = expected.deleting.pop(person, photo)


def check(client: httpx2.Client, expected: Expected, people: set[str]) -> None:
    """Search people by their photos: enrolled people must be found, deleted ones not."""
    for person in sorted(people):
        photo = expected.enrolled.get(person) or expected.deleted[person]
        answer = client.post(
            "/identify", files={"photo": photo.read_bytes()}, data={"top_k": "100", "threshold": "-1"}
        ).json()
        identified = {each["identity_id"] for face in answer["faces"] for each in face["candidates"]}
        if person in expected.enrolled and person not in identified:
            raise Lost(f"{person} was enrolled and is not found")
        if gone := identified & set(expected.deleted):
            raise Lost(f"{sorted(gone)} were deleted and are found")


def verify(place: Place, expected: Expected) -> None:
    """Compare index and database with the command line, and count the faces."""
    result = place.run("index", "verify")
    if result.returncode:
        raise Lost(f"index and database differ: {result.stdout}{result.stderr}")
    summary = f"default: {len(expected.enrolled)} faces"
    if not result.stdout.startswith(summary):
        raise Lost(f"{summary} were expected, but: {result.stdout}")


def torture(place: Place, folder: Path, photos: Iterator[tuple[str, Path]], kills: int, deadline: float) -> Expected:
    """Kill the service repeatedly; return the expected state, which was checked."""
    expected, rng = Expected(), random.Random(0)
    before: set[str] = set()
    for kill in range(kills):
        with serving(place, folder / "service.log") as (client, process):
            settle(client, expected)
            changed = expected.touched() - before
            check(client, expected, changed | set(rng.sample(sorted(before), min(_CHECKED, len(before)))))
            before = expected.touched()
            stop = threading.Event()
            workers = [threading.Thread(target=work, args=(client, expected, photos, stop)) for _ in range(_CLIENTS)]
            for each in workers:
                each.start()
            time.sleep(rng.uniform(0.02, _LONGEST_LIFE))
            process.send_signal(signal.SIGKILL)
            stop.set()
            for each in workers:
                each.join()
            for lost in expected.lost:
                raise lost
        if kill % _VERIFY_EVERY == _VERIFY_EVERY - 1:
            with serving(place, folder / "service.log") as (client, _):
                settle(client, expected)
            verify(place, expected)
            print(f"{kill + 1} kills, {len(expected.enrolled)} enrolled, {len(expected.deleted)} deleted", flush=True)
        if time.monotonic() > deadline:
            print(f"stopped after {kill + 1} kills: the time is up")
            break
    with serving(place, folder / "service.log") as (client, _):
        settle(client, expected)
        check(client, expected, expected.touched())
    verify(place, expected)
    return expected


def photos_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield new people with a photo each, for ever; photos repeat after all were used."""
    paths = sorted(folder.glob("*/*.jpg"))
    random.Random(0).shuffle(paths)
    number = 0
    while True:
        for path in paths:
            number += 1
            yield f"p{number}", path


def main() -> None:
    """Read the options, torture a service, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30, help="stop after so long, whatever was reached")
    parser.add_argument("--database", help="URL of an empty database; default: SQLite in a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arcid-crash-") as name:
        environment = {**os.environ, "ARCID_DATA_DIR": name, "ARCID_GALLERY__SNAPSHOT_SECONDS": "1"}
        if options.database:
            environment["ARCID_DATABASE_URL"] = options.database
        place, started = Place(environment), time.monotonic()
        place.run("db", "upgrade")
        try:
            expected = torture(
                place, Path(name), photos_of(options.images), options.kills, started + 60 * options.minutes
            )
        except Lost as error:
            sys.exit(f"LOST: {error}\n{(Path(name) / 'service.log').read_text()[-3000:]}")
    print(f"nothing was lost: {len(expected.enrolled)} enrolled, {len(expected.deleted)} deleted")


if __name__ == "__main__":
    main()
