"""Check that a stop of the service answers all requests of 500 clients.

    python benchmarks/graceful_stop.py --images ../shared/lfw/images --clients 500 --stops 5

Each client keeps its connection open, if the service allows it, and enrolls or identifies without a pause until SIGTERM
arrives. Each request that was sent must be answered with its result, or with 503 and a problem. The next connection may
be refused, because the service has ended. After a restart, each acknowledged enrollment must exist. Exit status 1 with
the first violation.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from crash import Lost, Place, serving

_HOST = "127.0.0.1"
_LONGEST_S = 90.0  # for one answer, including the grace period
_BOUNDARY = b"graceful-stop"


@dataclass
class Seen:
    """The answers of all clients."""

    answers: Counter[str] = field(default_factory=Counter)
    enrolled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def wire(path: str, fields: dict[str, str], name: str, photo: bytes) -> bytes:
    """Return the bytes of a multipart request."""
    lines = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (_BOUNDARY, key.encode(), value.encode())
        for key, value in fields.items()
    ]
    lines.append(
        b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="p.jpg"\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n'
        % (_BOUNDARY, name.encode(), photo)
    )
    body = b"".join([*lines, b"--%b--\r\n" % _BOUNDARY])
    head = f"POST {path} HTTP/1.1\r\nHost: {_HOST}\r\nContent-Length: {len(body)}\r\n"
    kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}\r\n\r\n"
    return (head + kind).encode() + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Read one answer; return its status (0: connection ended), whether the connection stays open, and the body."""
    line = await reader.readline()
    if not line:
        return 0, False, b""
    length, stays = 0, True
    while (header := (await reader.readline()).strip().lower()) != b"":
        length = int(header.partition(b":")[2]) if header.startswith(b"content-length:") else length
        stays = stays and header != b"connection: close"
    return int(line.split()[1]), stays, await reader.readexactly(length)


async def client(port: int, number: int, photos: list[bytes], seen: Seen, stopped: asyncio.Event) -> None:
    """Send requests until the service no longer accepts connections."""
    rng = random.Random(number)
    for attempt in range(1_000):
        try:
            reader, writer = await asyncio.open_connection(_HOST, port)
        except OSError:
            seen.answers["connection refused" if stopped.is_set() else "REFUSED WHILE IT RAN"] += 1
            return
        stays = True
        is_idle = stopped.is_set()
        try:
            while stays:
                person = f"{number}-{attempt}-{rng.random()}"
                is_enrollment = rng.random() < 0.5
                fields = {"identity_id": person, "face": "largest", "on_duplicate": "allow"} if is_enrollment else {}
                path, name = ("/enroll", "photos") if is_enrollment else ("/identify", "photo")
                is_idle = stopped.is_set()  # the service may close an idle connection just as we use it
                writer.write(wire(path, fields, name, rng.choice(photos)))
                await writer.drain()
                status, stays, _ = await asyncio.wait_for(answer_of(reader), _LONGEST_S)
                if status == 0 or status not in {200, 422, 503}:
                    what = "cut without an answer" if status == 0 else f"answered {status}"
                    seen.wrong.append(f"{path} {what}, sent {'after' if is_idle else 'before'} the signal")
                    return
                seen.answers[f"{path} {status}"] += 1
                if is_enrollment and status == 200:
                    seen.enrolled.append(person)
                if status == 503:
                    await asyncio.sleep(rng.uniform(0.2, 1))
        except OSError as error:
            seen.wrong.append(f"{type(error).__name__} in a request sent {'after' if is_idle else 'before'} the signal")
            return
        except TimeoutError:
            seen.wrong.append("no answer in time")
            return
        finally:
            writer.transport.abort()


async def stopped_under_load(port: int, pid: int, photos: list[bytes], clients: int, seen: Seen) -> float:
    """Let clients work, stop the service, and return the time until it ended."""
    stopped = asyncio.Event()
    tasks = [asyncio.create_task(client(port, each, photos, seen, stopped)) for each in range(clients)]
    await asyncio.sleep(random.Random(port).uniform(3, 6))
    os.kill(pid, signal.SIGTERM)
    began = time.monotonic()
    stopped.set()
    await asyncio.gather(*tasks)
    return time.monotonic() - began


def main() -> None:
    """Read the options, stop a service repeatedly, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--stops", type=int, default=5)
    parser.add_argument("--database", help="URL of an empty database; default: SQLite in a temporary folder")
    options = parser.parse_args()
    photos = [path.read_bytes() for path in sorted(options.images.glob("*/*_0001.jpg"))[:200]]
    with tempfile.TemporaryDirectory(prefix="arcid-stop-") as name:
        environment = {**os.environ, "ARCID_DATA_DIR": name, "ARCID_LIMITS__GRACE_SECONDS": "60"}
        if options.database:
            environment["ARCID_DATABASE_URL"] = options.database
        place, log, enrolled = Place(environment), Path(name) / "service.log", set[str]()
        place.run("db", "upgrade")
        for stop in range(options.stops):
            seen = Seen()
            with serving(place, log) as (http, process):
                port = http.base_url.port or 0
                seconds = asyncio.run(stopped_under_load(port, process.pid, photos, options.clients, seen))
                status = process.wait(30)
            enrolled.update(seen.enrolled)
            answers = ", ".join(f"{count} {kind}" for kind, count in sorted(seen.answers.items()))
            print(f"stop {stop + 1}: ended after {seconds:.1f} s with status {status}: {answers}", flush=True)
            for kind, count in Counter(seen.wrong).items():
                print(f"  WRONG: {count} times {kind}")
            with serving(place, log) as (http, _):
                missing = [each for each in seen.enrolled if not is_enrolled(http, each)]
            if missing:
                raise Lost(f"{len(missing)} acknowledged enrollments are missing, such as {missing[0]}")
            if seen.wrong or status not in {0, -signal.SIGTERM}:  # it ends itself with the signal received
                sys.exit("the stop was not graceful")
    print(f"all requests answered, nothing lost: {len(enrolled)} enrollments")


def is_enrolled(http: httpx2.Client, person: str) -> bool:
    """Whether an identity exists."""
    return http.get(f"/collections/default/identities/{person}").status_code == 200


if __name__ == "__main__":
    main()
