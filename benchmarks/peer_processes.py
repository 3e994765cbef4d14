"""Running contestants of `benchmarks/peers.py`: a library's worker, or the service; and what their processes use."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from peer_environments import Contestant, Unavailable, environment_of, python_of, weights_in
from service import Client, Service, form, running

_CPU_CLOCK_OF_PROCESS = 2  # CPUCLOCK_SCHED: see clock_getcpuclockid(3)


class Running(Protocol):
    """A contestant that is ready for photos."""

    @property
    def pid(self) -> int:
        """Return the process."""

    def enroll(self, photo: Path) -> None:
        """Enroll the people of a photo."""

    def identify(self, photo: Path) -> int:
        """Search the faces of a photo among those enrolled; return their number."""

    def vectors(self, photo: Path) -> tuple[list[list[float]], list[list[float]]]:
        """Return boxes xyxy and embeddings of the faces of a photo."""


@dataclass(slots=True)
class Library:
    """A worker in the library's environment."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """Return the process."""
        return self.process.pid

    def enroll(self, photo: Path) -> None:
        """See `Running`."""
        self._ask(photo, "enroll")

    def identify(self, photo: Path) -> int:
        """See `Running`."""
        return int(self._ask(photo, "identify")["faces"])

    def vectors(self, photo: Path) -> tuple[list[list[float]], list[list[float]]]:
        """See `Running`."""
        answer = self._ask(photo, "vectors")
        return answer["boxes"], answer["vectors"]

    def _ask(self, photo: Path, wanted: str) -> dict[str, Any]:
        pipe = self.process.stdin
        if pipe is not None:
            pipe.write(json.dumps({"photo": str(photo), "wanted": wanted}) + "\n")
            pipe.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        """Return the next answer. Raises Unavailable if the worker ended."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise Unavailable("it stopped")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(slots=True)
class Served:
    """ArcID's service, with one client."""

    service: Service
    client: Client

    @property
    def pid(self) -> int:
        """Return the process."""
        return self.service.pid

    def enroll(self, photo: Path) -> None:
        """See `Running`."""
        self.client.post("/enroll", form(photo.read_bytes(), "photos", identity_id=photo.stem, face="largest"))

    def identify(self, photo: Path) -> int:
        """See `Running`."""
        return len(json.loads(self.client.post("/identify", form(photo.read_bytes())))["faces"])

    def vectors(self, photo: Path) -> tuple[list[list[float]], list[list[float]]]:
        """See `Running`; the embeddings as the API gives them."""
        faces = json.loads(self.client.post("/embed", form(photo.read_bytes())))["faces"]
        return [face["box"] for face in faces], [face["embedding"] for face in faces]


@contextmanager
def started(contestant: Contestant, cache: Path, data_dir: Path) -> Iterator[Running]:
    """Start a contestant; stop it at the end. Raises Unavailable with the reason."""
    variables = environment_of(contestant, data_dir)
    if contestant.is_served:
        with running(variables) as service:
            yield Served(service, Client(service.port))
        return
    command = [str(python_of(contestant, cache)), str(Path(__file__).with_name("peer_worker.py")), contestant.library]
    log = cache / f"{contestant.name}.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*command, str(weights_in(cache))],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        worker = Library(process)
        try:
            _wait(worker, log)
            yield worker
        finally:
            process.terminate()


def _wait(worker: Library, log: Path) -> None:
    try:
        worker.read()
    except Unavailable as error:
        lines = log.read_text(errors="replace").strip().splitlines() or ["no message"]
        raise Unavailable(f"it does not start: {lines[-1][:200]}") from error


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its descendants have used, including threads that have ended."""
    return sum(time.clock_gettime(~each << 3 | _CPU_CLOCK_OF_PROCESS) for each in _tree(pid))


def peak_mib(pid: int) -> float:
    """Return the sum of the peak resident memory of a process and its descendants, in MiB."""
    statuses = (Path(f"/proc/{each}/status").read_text() for each in _tree(pid))
    return sum(int(status.split("VmHWM:")[1].split()[0]) for status in statuses) / 1024


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found
