"""A service in a separate process to measure, and clients with little overhead."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
_BOUNDARY = "arcid-benchmark"


@dataclass(frozen=True, slots=True)
class Service:
    """A running `arcid serve`."""

    port: int
    pid: int

    def resident_mib(self, field: str = "VmRSS") -> float:
        """Return the resident memory of the process in MiB, or the most so far (`VmHWM`)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) / 1024

    def cpu_seconds(self) -> float:
        """Return the CPU time of all threads of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(environment: dict[str, str] | None = None) -> Iterator[Service]:
    """Start `arcid serve` on an empty temporary database; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="arcid-bench-") as folder, socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        command = [str(Path(sys.executable).parent / "arcid"), "serve", "--port", str(port)]
        variables = {**os.environ, "ARCID_DATA_DIR": folder, **(environment or {})}
        with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as process:
            try:
                _wait(port, process)
                yield Service(port, process.pid)
            finally:
                process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if Client(port).get("/readyz") == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the service did not start")


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)

    def get(self, path: str) -> int:
        """GET a path; return the status."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def post(self, path: str, body: bytes) -> bytes:
        """POST a body from `form`; return the answer's body."""
        self._connection.request("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"})
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}: {data.decode()}")
        return data


def form(photo: bytes, field: str = "photo", **fields: str) -> bytes:
    """Return a multipart body with one photo."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="p"\r\n\r\n'.encode()
    return b"".join([*parts, head, photo, f"\r\n--{_BOUNDARY}--\r\n".encode()])


def per_second(work: Sequence[Callable[[], object]], seconds: float) -> float:
    """Run callables repeatedly, one thread each; return the total calls per second."""
    done = [0] * len(work)
    stop = time.perf_counter() + seconds

    def loop(index: int) -> None:
        while time.perf_counter() < stop:
            work[index]()
            done[index] += 1

    threads = [threading.Thread(target=loop, args=(index,)) for index in range(len(work))]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - started)
