"""A PostgreSQL server that a test may stop, kill and suspend."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.disks import DISK

_QUICK = "-c fsync=off -c full_page_writes=off"


class Cluster:
    """A server with its socket and its log in one folder, and with its data there or in `data`."""

    def __init__(self, binaries: Path, folder: Path, options: str = _QUICK, *, data: Path | None = None) -> None:
        self._binaries = binaries
        self._options = options
        self._folder = folder
        self._data = folder / "data" if data is None else data
        self.url = f"postgresql://postgres@/postgres?host={folder}"

    @property
    def log(self) -> Path:
        """The file of the server's messages."""
        return self._folder / "log"

    def create(self, *options: str) -> None:
        """Create the data folder; `options` are those of initdb."""
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", *options)

    def start(self, variables: Mapping[str, str] | None = None) -> None:
        """Start the server, with more environment variables, and wait until it answers."""
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder} {self._options}"
        self._run("pg_ctl", "--wait", f"--log={self.log}", f"--options={options}", "start", variables=variables)

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: `fast` disconnects its clients, `immediate` is like a crash."""
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

    def kill(self) -> None:
        """Kill the server and its processes, and wait until they are gone."""
        pids = self._pids()
        self._signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.05)
        (self._data / "postmaster.pid").unlink()

    def pause(self) -> None:
        """Suspend the server: it keeps connections and accepts new ones, but does not answer."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the server."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        return [postmaster, *_children(postmaster)]

    def _run(self, program: str, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        # PostgreSQL refuses to run as root.
        as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_owner, str(self._binaries / program), f"--pgdata={self._data}", *arguments]
        environment = {**os.environ, **(variables or {})}
        # A file takes the output, because the server would keep a pipe open.
        output = self._folder / f"{program}.log"
        with output.open("wb") as file:
            try:
                subprocess.run(command, check=True, cwd=self._folder, env=environment, stdout=file, stderr=file)
            except subprocess.CalledProcessError as error:
                error.add_note(output.read_text("utf-8", "replace"))
                raise


def _children(parent: int) -> list[int]:
    # "pid (name) state parent ..."; a name may contain spaces and brackets.
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.parent.is_dir()]
    return [int(stat.split()[0]) for stat in stats if int(stat.rpartition(")")[2].split()[1]) == parent]


def binaries() -> Path:
    """Return the folder of the newest PostgreSQL's programs; skips where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    in_path = shutil.which("initdb")
    if not found and not in_path:
        pytest.skip("no PostgreSQL is installed; on Debian: apt-get install postgresql")
    return (found[-1] if found else Path(str(in_path))).resolve().parent


def give_to_owner(path: Path) -> None:
    """Make the user that runs PostgreSQL the owner of a file or folder."""
    if os.geteuid() == 0:
        shutil.chown(path, "postgres")


@contextmanager
def running(*, is_durable: bool = False) -> Iterator[Cluster]:
    """Yield a running server; skips where PostgreSQL is not installed. `is_durable`: with fsync, as a crash needs."""
    programs = binaries()
    with tempfile.TemporaryDirectory(prefix="arcid-cluster-", dir=DISK if is_durable else None) as name:
        folder = Path(name)
        give_to_owner(folder)
        cluster = Cluster(programs, folder, "" if is_durable else _QUICK)
        cluster.create()
        cluster.start()
        try:
            yield cluster
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                cluster.resume()
                cluster.stop()
