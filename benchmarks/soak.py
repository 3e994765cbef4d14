"""Check that nothing grows: mixed requests to one service, and the slope of each resource it holds.

    nice python benchmarks/soak.py --images ../shared/lfw/images --requests 100000 --light 8

The requests enroll, identify, verify, list, change and delete people, upload files in parts, import a photo as a job
and follow its events, send damaged photos and wrong ids, and leave before the answer. `--light` multiplies the weight
of requests without a photo: without it 23 % of requests carry a photo, with 8 3.6 %. From 200 people on, as many are
deleted as enrolled. Reads resident memory, threads, open files, and files in the temporary and data folders, and fits
a line to each after the first fifth. Exit status 1 with a 500, or if a resource certainly grows: the 95 % interval of
its slope is above 0 and the growth in the measured part is more than a twentieth of its mean, or the last fifth uses a
tenth more than the second one (medians).
"""

import argparse
import io
import os
import random
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import numpy as np
from crash import Place, serving

if TYPE_CHECKING:
    from collections.abc import Callable

_CLIENTS = 4
_SAMPLES = 100
_WARMUP = _SAMPLES // 5
_PER = 100_000  # requests that a slope is given for
_MOST_GROWTH = 1.1  # of the last fifth over the second one
_TOLERATED = 0.05  # growth in the measured part, as a share of the mean
_PEOPLE = 200
_FINE = {200, 201, 202, 204, 400, 404, 409, 413, 415, 422, 503}


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
    light: int = 1
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
            (3, self._damaged),
            (1, self._leave),
            (30 * self.light, self._list),
            (10 * self.light, self._show),
            (6 * self.light, self._change),
            (10 * self.light, self._wrong),
            (1 * self.light, self._upload),
            (1, self._import),
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
            leaves = [self.people.pop(0) for _ in range(len(self.people) - _PEOPLE + 1)]
        for leaving in leaves:
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

    def _upload(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        """Send a part of a file; a third of the uploads are left incomplete and are deleted."""
        size = rng.randrange(1, 50_000)
        made = client.post("/uploads", headers={"Upload-Length": str(size)})
        if made.status_code != 201:
            return made
        path = f"/uploads/{made.json()['upload_id']}"
        part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        client.patch(path, content=bytes(size if rng.random() < 2 / 3 else size // 2), headers=part)
        return client.delete(path)

    def _import(self, client: httpx2.Client, rng: random.Random) -> httpx2.Response:
        """Import one photo as a job, and follow its events to the end."""
        packed, person = io.BytesIO(), f"j{rng.getrandbits(48):x}"
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{person}/photo.jpg", rng.choice(self.photos))
        answer = client.post("/jobs", data={"kind": "import", "face": "largest"}, files={"file": packed.getvalue()})
        if answer.status_code == 202:
            with client.stream("GET", f"/jobs/{answer.json()['job_id']}/events") as events:
                for _ in events.iter_lines():
                    pass
            with self.lock:
                self.people.append(person)
        return answer

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
    parser.add_argument("--light", type=int, default=1, help="weight of requests without a photo")
    parser.add_argument("--minutes", type=float, default=240, help="stop after so long, whatever was reached")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    photos = [path.read_bytes() for path in sorted(options.images.glob("*/*_0001.jpg"))[:300]]
    with tempfile.TemporaryDirectory(prefix="arcid-soak-") as name:
        temporary, data = Path(name, "tmp"), Path(name, "data")
        temporary.mkdir()
        place = Place({**os.environ, "ARCID_DATA_DIR": str(data), "TMPDIR": str(temporary)})
        place.run("db", "upgrade")
        with serving(place, Path(name) / "log") as (client, process):
            soak, held = Soak(str(client.base_url), photos, options.light), list[Held]()
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
                if sample % 5 == 0:
                    print(f"{soak.sent:>7}: {held[-1]}", flush=True)
                if time.monotonic() > until:
                    print("the time is up")
                    break
            log = Path(name, "log").read_text()
    print(", ".join(f"{count} {kind}" for kind, count in sorted(soak.answers.items())))
    sys.exit("\n".join(wrongs(soak.answers, held, options.requests, log)) or None)


def wrongs(answers: Counter[str], held: list[Held], requests: int, log: str) -> list[str]:
    """Return the violations, one per line; print the slope of each resource."""
    problems = [f"{count} {kind}" for kind, count in answers.items() if kind.startswith("WRONG")]
    problems += ["a traceback in the log"] if "Traceback" in log else []
    for each in fields(Held):
        values = np.array([getattr(sample, each.name) for sample in held[_WARMUP:]], dtype=float)
        slope, error = slope_of(values, requests / _SAMPLES / _PER)
        mean, span = values.mean(), requests * len(values) / _SAMPLES / _PER
        print(
            f"{each.name:>10}: mean {mean:.1f}, from {values.min():g} to {values.max():g}; "
            f"{slope:+.2f} [{slope - error:+.2f}, {slope + error:+.2f}] per {_PER:,} requests"
        )
        if slope - error > 0 and slope * span > _TOLERATED * mean:
            problems.append(f"{each.name} grows by {slope:g} per {_PER:,} requests, from a mean of {mean:g}")
        fifth = len(values) // 4  # of all samples
        before, after = np.median(values[:fifth]), np.median(values[-fifth:])
        if after > _MOST_GROWTH * before:
            problems.append(f"{each.name} grew from {before:g} to {after:g}")
    return problems


def slope_of(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", step: float) -> tuple[float, float]:
    """Return the slope of a line through evenly spaced values, and half its 95 % interval.

    Neighbouring samples resemble each other. So the interval counts only as many of them as are independent, by the
    correlation of neighbouring residuals.
    """
    x = np.arange(len(values)) * step
    slope, start = np.polyfit(x, values, 1)
    residuals = values - start - slope * x
    total = float(residuals @ residuals)
    if total < len(values) * 1e-9:
        return float(slope), 0.0
    alike = max(0.0, float(residuals[1:] @ residuals[:-1]) / total)
    independent = max(3.0, len(values) * (1 - alike) / (1 + alike))
    error = np.sqrt(total / (independent - 2) / ((x - x.mean()) ** 2).sum() * len(values) / independent)
    return float(slope), float(1.96 * error)


if __name__ == "__main__":
    main()
