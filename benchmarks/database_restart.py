"""Check that the service survives restarts, crashes and hangs of PostgreSQL while clients enroll and identify.

    python benchmarks/database_restart.py --images ../shared/lfw/images --rounds 12

This starts a PostgreSQL server (with fsync, which a crash needs). Clients enroll, identify and delete. Each round stops
the server (`fast`, `immediate`), kills it, or lets it hang for 15 seconds. All requests must be answered within the
deadline by 200, 404, 409, 422 or a 503 with a code. When the server is back, the service must become ready and enroll
again. At the end, all acknowledged people must exist, and no deleted one. Index and database must agree, the audit
trail must be intact, and an import started before the first round must have succeeded. Exit status 1 with the first
violation.
"""

import argparse
import io
import itertools
import os
import random
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from crash import Expected, Lost, Place, check, photos_of, serving, verify

from tests.cluster import Cluster, running

_CLIENTS = 4
_DEADLINE_S = 60.0  # for one answer: twice the wait for a hanging database
_BACK_S = 30.0  # from the return of the server to the next enrollment
_PAUSE_S = 15.0
_DOWN_S = 2.0
_AGAIN_S = 0.2  # after 503
_IMPORTED = 60
_EXPECTED = {200, 404, 409, 422}


@dataclass
class Seen:
    """The answers of all clients: counts by status and code, the longest wait, and violations."""

    answers: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    wrong: list[str] = field(default_factory=list)


def load(
    client: httpx2.Client, expected: Expected, photos: Iterator[tuple[str, Path]], seen: Seen, stop: threading.Event
) -> None:
    """Enroll, identify and delete until the stop; repeat requests with 503 until their result is known."""
    rng = random.Random()
    while not stop.is_set():
        kind = rng.random()
        if kind < 0.25 and expected.enrolled:
            with expected.lock:
                person = rng.choice(list(expected.enrolled))
                photo = expected.deleting[person] = expected.enrolled.pop(person)
            delete(client, expected, person, photo, seen)
        elif kind < 0.5 and expected.enrolled:
            with expected.lock:
                photo = rng.choice(list(expected.enrolled.values()))
            ask(client, seen, "identify", "POST", "/identify", files={"photo": photo.read_bytes()})
        else:
            with expected.lock:
                person, photo = next(photos)
                expected.enrolling[person] = photo
            enroll(client, expected, person, photo, seen)


def ask(client: httpx2.Client, seen: Seen, what: str, method: str, path: str, **request: object) -> int:
    """Send a request and record its outcome."""
    started = time.monotonic()
    try:
        answer = client.request(method, path, **request)  # type: ignore[arg-type] # as httpx2's own
    except httpx2.TransportError as error:
        seen.wrong.append(f"{what}: no answer after {time.monotonic() - started:.1f} s: {error!r}")
        return 0
    seen.longest = max(seen.longest, time.monotonic() - started)
    is_json = answer.headers.get("content-type", "").endswith("json")
    code = answer.json().get("code", "") if is_json and not answer.is_success else ""
    seen.answers[f"{what} {answer.status_code} {code}".strip()] += 1
    if answer.status_code not in _EXPECTED and not (answer.status_code == 503 and code):
        seen.wrong.append(f"{what}: {answer.status_code} {answer.text[:500]}")
    if answer.status_code == 503:
        time.sleep(_AGAIN_S)
    return answer.status_code


def enroll(client: httpx2.Client, expected: Expected, person: str, photo: Path, seen: Seen) -> int:
    """Enroll a person; after 503, keep it in `enrolling`."""
    status = ask(
        client,
        seen,
        "enroll",
        "POST",
        "/enroll",
        files={"photos": photo.read_bytes()},
        data={"identity_id": person, "face": "largest"},
        headers={"Idempotency-Key": person},
    )
    with expected.lock:
        if status == 200:
            expected.enrolled[person] = photo
        if status in {200, 422}:
            expected.enrolling.pop(person, None)
    return status


def delete(client: httpx2.Client, expected: Expected, person: str, photo: Path, seen: Seen) -> int:
    """Delete a person; after 503, keep it in `deleting`."""
    status = ask(client, seen, "delete", "DELETE", f"/collections/default/identities/{person}")
    with expected.lock:
        if status in {200, 404}:
            expected.deleted[person] = photo
            expected.deleting.pop(person, None)
    return status


def outages(cluster: Cluster) -> dict[str, Callable[[], None]]:
    """Return the faults by name; after each, the server runs again."""

    def stopped(mode: str) -> Callable[[], None]:
        def act() -> None:
            cluster.stop(mode)
            time.sleep(_DOWN_S)
            cluster.start()

        return act

    def killed() -> None:
        cluster.kill()
        time.sleep(_DOWN_S)
        cluster.start()

    def hanging() -> None:
        cluster.pause()
        time.sleep(_PAUSE_S)
        cluster.resume()

    return {"fast": stopped("fast"), "immediate": stopped("immediate"), "SIGKILL": killed, "hangs": hanging}


def recovered(client: httpx2.Client, expected: Expected, photos: Iterator[tuple[str, Path]], seen: Seen) -> float:
    """Return the time from the server's return until the service enrolls and is ready."""
    started = time.monotonic()
    while time.monotonic() < started + _BACK_S:
        with expected.lock:
            person, photo = next(photos)
            expected.enrolling[person] = photo
        if enroll(client, expected, person, photo, seen) in {200, 422} and client.get("/readyz").status_code == 200:
            return time.monotonic() - started
        time.sleep(0.1)
    raise Lost(f"the service did not enroll again {_BACK_S} s after the database was back")


def settled(client: httpx2.Client, expected: Expected, seen: Seen) -> None:
    """Repeat the requests that were running, now that the database answers."""
    for person, photo in list(expected.enrolling.items()):
        if enroll(client, expected, person, photo, seen) not in {200, 422}:
            raise Lost(f"{person} cannot be enrolled though the database is back")
    for person, photo in list(expected.deleting.items()):
        if delete(client, expected, person, photo, seen) not in {200, 404}:
            raise Lost(f"{person} cannot be deleted though the database is back")


def job(client: httpx2.Client, photos: list[Path]) -> str:
    """Start an import of photos into a separate collection; return the job's id."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, photo in enumerate(photos):
            archive.write(photo, f"person{number}/photo.jpg")
    client.post("/collections", json={"name": "imported"}).raise_for_status()
    answer = client.post(
        "/jobs",
        data={"kind": "import", "collection": "imported", "face": "largest"},
        files={"file": ("photos.zip", packed.getvalue())},
    )
    if answer.status_code != 202:
        raise Lost(f"the job was answered {answer.status_code}: {answer.text}")
    return str(answer.json()["job_id"])


def ended(client: httpx2.Client, job_id: str, seconds: float) -> dict[str, object]:
    """Wait until a job ends."""
    until = time.monotonic() + seconds
    while (job := client.get(f"/jobs/{job_id}").json())["state"] in {"queued", "running"}:
        if time.monotonic() > until:
            raise Lost(f"the job has not ended: {job}")
        time.sleep(0.5)
    if job["state"] != "succeeded":
        raise Lost(f"the job: {job}")
    return dict(job)


def torture(place: Place, log: Path, cluster: Cluster, images: Path, rounds: int, minutes: float) -> Expected:
    """Interrupt the server repeatedly; return the expected state, which was checked."""
    expected, seen, photos = Expected(), Seen(), photos_of(images)
    until = time.monotonic() + 60 * minutes
    kinds = outages(cluster)
    with serving(place, log) as (client, process):
        client.timeout = httpx2.Timeout(_DEADLINE_S)
        number = job(client, [photo for _, photo in itertools.islice(photos_of(images), _IMPORTED)])
        stop = threading.Event()
        workers = [threading.Thread(target=load, args=(client, expected, photos, seen, stop)) for _ in range(_CLIENTS)]
        for each in workers:
            each.start()
        try:
            for name in itertools.islice(itertools.cycle(kinds), rounds):
                time.sleep(random.uniform(1, 3))
                kinds[name]()
                took = recovered(client, expected, photos, seen)
                print(f"{name}: enrolls again after {took:.1f} s", flush=True)
                if process.poll() is not None:
                    raise Lost("the service ended")
                if seen.wrong or time.monotonic() > until:
                    break
        finally:
            stop.set()
            for each in workers:
                each.join()
        print(f"longest answer {seen.longest:.1f} s; {dict(sorted(seen.answers.items()))}", flush=True)
        if seen.wrong:
            raise Lost(f"{len(seen.wrong)} answers that must not be: {seen.wrong[:5]}")
        settled(client, expected, seen)
        check(client, expected, expected.touched())
        print(f"the import: {ended(client, number, 240)['result']}", flush=True)
    verify(place, expected)
    if (trail := place.run("audit", "verify")).returncode:
        raise Lost(f"the audit trail: {trail.stdout}{trail.stderr}")
    return expected


def main() -> None:
    """Read the options, interrupt the database of a service, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=8, help="stop after so long, whatever was reached")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arcid-restart-") as name, running(is_durable=True) as cluster:
        place = Place({**os.environ, "ARCID_DATA_DIR": name, "ARCID_DATABASE_URL": cluster.url})
        if (made := place.run("db", "upgrade")).returncode:
            sys.exit(made.stderr)
        log = Path(name) / "service.log"
        try:
            expected = torture(place, log, cluster, options.images, options.rounds, options.minutes)
        except Lost as error:
            sys.exit(f"LOST: {error}\n{log.read_text()[-4000:]}")
    print(f"nothing was lost: {len(expected.enrolled)} enrolled, {len(expected.deleted)} deleted")


if __name__ == "__main__":
    main()
