"""Check that nothing grows: 20,000 mixed requests to one service, with its resources after each thousand.

    python benchmarks/soak.py --images ../shared/lfw/images --requests 20000

The requests enroll, identify, verify, list, change and delete people, send damaged photos and wrong ids, and leave
before the answer. From 200 people on, as many are deleted as enrolled. Prints resident memory, threads, open files, and
files in the temporary and data folders. Exit status 1 with a 500, or if the last fifth of the time uses a tenth more of
a resource than the second fifth (medians).
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from crash import Place, serving

if TYPE_CHECKING:
    from collections.abc import Callable

_CLIENTS = 4
_SAMPLES = 20
_PEOPLE = 200
_FINE = {200, 201, 204, 400, 404, 409, 413, 415, 422, 503}


@dataclass(frozen=True)
class Held:
    """Resources of a process at one moment; memory in MiB."""

    memory: float
    threads: int
    files: int
    temporary: int
    data: int

    @classmethod
    def of(cls, pid: int, temporary: Path, data: Path) -> "Held":
        """Read the resources from the system."""
        status = Path(f"/proc/{pid}/status").read_text()
        memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
        threads = int(status.split("Threads:")[1].split()[0])
        folders = (sum(each.is_file() for each in folder.rglob("*")) for folder in (temporary, data))
        return cls(memory, threads, len(list(Path(f"/proc/{pid}/fd").iterdir())), *folders)


@dataclass
class Soak:
    """Clients that share a list of people and send a mix of requests."""

    url: str
    photos: list[bytes]
    answers: Counter[str] = field(default_factory=Counter)
    people: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: int = 0

    def run(self, number: int, until: int) -> None:
        """Send requests until all clients together have sent `total`."""
        rng = random.Random(number * 1_000_003 + until)
        kinds: list[tuple[int, Callable[[httpx2.Client, random.Random], httpx2.Response | None]]] = [
            (2, self._enroll),
            (6, self._identify),
            (4, self._verify),
            (30, self._list),
            (10, self._show),
            (6, self._change),
            (10, self._wrong),
            (3, self._damaged),
            (1, self._leave),
        ]
        weights, functions = zip(*kinds, strict=True)
        with httpx2.Client(base_url=self.url, timeout=60) as client:
            while True:
                with self.lock:
                    if self.sent >= until:
                        return
                    self.sent += 1
                function = rng.choices(functions, weights)[0]
                answer = function(client, rng)
                name = function.__name__.removeprefix("_")
                with self.lock:
                    self.answers["left" if answer is None else f"{name} {answer.status_code}"] += 1
                    if answer is not None and answer.status_code not in _FINE:
                        self.answers[f"WRONG {name} {answer.status_code}"] += 1

    def _person(self, rng: random.Random) -> str:
        with self.lock:
            return rng.choice(self.people) if self.people else "nobody"

    def _enroll(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        with self.lock:
            leaving = self.people.pop(0) if len(self.people) >= _PEOPLE else None
        if leaving:
            client.delete(f"/collections/default/identities/{leaving}")
        person = f"p{rng.getrandbits(48):x}"
        answer = client.post(
            "/enroll",
            files={"photos": rng.choice(self.photos)},
            data={"identity_id": person, "face": "largest", "on_duplicate": "allow"},
        )
        if answer.status_code == 200:
            with self.lock:
                self.people.append(person)
        return answer

    def _identify(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        return client.post("/identify", files={"photo": rng.choice(self.photos)})

    def _verify(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        data = {"identity_id": self._person(rng)}
        return client.post("/verify", files={"probe": rng.choice(self.photos)}, data=data)

    def _list(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        paths = ("/collections", "/collections/default/identities?limit=20", "/jobs", "/readyz", "/metrics", "/models")
        return client.get(rng.choice(paths))

    def _show(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        return client.get(f"/collections/default/identities/{self._person(rng)}")

    def _change(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        path = f"/collections/default/identities/{self._person(rng)}"
        return client.patch(path, json={"metadata": {"floor": rng.randrange(9)}})

    def _wrong(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        return client.get(f"/collections/{rng.getrandbits(32):x}/identities/x")

    def _damaged(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        photo = bytearray(rng.choice(self.photos))
        for _ in range(20):
            photo[rng.randrange(len(photo))] = rng.randrange(256)
        return client.post("/detect", files={"photo": bytes(photo[: rng.randrange(1, len(photo))])})

    def _leave(self, client: httpx2.Client, rng: random.Random) -> None:
        try:
            client.post("/identify", files={"photo": rng.choice(self.photos)}, timeout=0.005)
        except httpx2.TimeoutException:
            return


def main() -> None:
    """Read the options, soak a service, print its resources."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--requests", type=int, default=20_000)
    options = parser.parse_args()
    photos = [path.read_bytes() for path in sorted(options.images.glob("*/*_0001.jpg"))[:300]]
    with tempfile.TemporaryDirectory(prefix="arcid-soak-") as name:
        temporary, data = Path(name, "tmp"), Path(name, "data")
        temporary.mkdir()
        place = Place({**os.environ, "ARCID_DATA_DIR": str(data), "TMPDIR": str(temporary)})
        place.run("db", "upgrade")
        with serving(place, Path(name) / "log") as (client, process):
            soak, held = Soak(str(client.base_url), photos), list[Held]()
            for sample in range(1, _SAMPLES + 1):
                threads = [
                    threading.Thread(target=soak.run, args=(each, options.requests * sample // _SAMPLES))
                    for each in range(_CLIENTS)
                ]
                for each in threads:
                    each.start()
                for each in threads:
                    each.join()
                held.append(Held.of(process.pid, temporary, data))
                print(f"{soak.sent:>7}: {held[-1]}", flush=True)
            log = Path(name, "log").read_text()
    print(", ".join(f"{count} {kind}" for kind, count in sorted(soak.answers.items())))
    sys.exit("\n".join(wrongs(soak.answers, held, log)) or None)


def wrongs(answers: Counter[str], held: list[Held], log: str) -> list[str]:
    """Return the violations, one per line."""
    problems = [f"{count} {kind}" for kind, count in answers.items() if kind.startswith("WRONG")]
    problems += ["a traceback in the log"] if "Traceback" in log else []
    early, late = held[_SAMPLES // 5 : 2 * _SAMPLES // 5], held[-_SAMPLES // 5 :]
    for name in ("memory", "threads", "files", "temporary", "data"):
        before, after = (statistics.median(getattr(each, name) for each in part) for part in (early, late))
        if after > 1.1 * before:
            problems.append(f"{name} grew from {before:g} to {after:g}")
    return problems


if __name__ == "__main__":
    main()
