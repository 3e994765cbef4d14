"""A command under strace: all addresses outside this machine that it contacts, and all files that it creates."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server, socket

import pytest

_NETWORK = "connect,sendto,sendmsg,sendmmsg"
_FILES = "open,openat,creat,mkdir,mkdirat,rename,renameat2,symlink,symlinkat,link,linkat"
_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?"([0-9a-fA-F.:]+)"')
_MADE = re.compile(r"(?:open|openat|creat|mkdir|mkdirat|symlink|symlinkat|link|linkat|rename|renameat2)\((.*)")
_NAME = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"')
_WRITES = re.compile(r"O_CREAT|O_WRONLY|O_RDWR|O_TMPFILE|\b(?:creat|mkdir|symlink|link|rename)")
_DEVICES = ("/dev/", "/proc/")


@dataclass
class Trace:
    """Side effects of a command, and its folders."""

    home: Path
    temporary: Path
    data: Path
    addresses: set[str] = field(default_factory=set)
    """Addresses outside this machine."""
    proxied: list[bytes] = field(default_factory=list)
    """Requests to the proxy of the environment."""
    written: set[str] = field(default_factory=set)
    """Files and folders created or opened for writing, outside the data and temporary folders."""
    returncode: int = 0
    errors: str = ""

    @property
    def left(self) -> list[Path]:
        """Contents of HOME and the temporary folder at the end."""
        return [path for folder in (self.home, self.temporary) for path in folder.rglob("*")]


def found_strace() -> str:
    """Return the path of strace; skips if it is missing or not permitted."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed; run: .ci/install strace")
    if subprocess.run([strace, "-o", os.devnull, strace, "-V"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here; allow ptrace")
    return strace


@contextmanager
def traced(command: list[str], folder: Path, **variables: str) -> Iterator[tuple[Trace, "subprocess.Popen[str]"]]:
    """Run a command with new home, temporary and data folders, and a proxy for all its requests.

    The context waits for the command's end and then fills the trace.
    """
    strace = found_strace()
    trace = Trace(folder / "home", folder / "tmp", folder / "data")
    for each in (trace.home, trace.temporary, trace.data):
        each.mkdir(parents=True)
    log = folder / "strace.log"
    with recording_proxy(trace.proxied) as proxy:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "PYTHONDONTWRITEBYTECODE": "1",  # compiled modules are next to the program
            "HOME": str(trace.home),
            "TMPDIR": str(trace.temporary),
            "ARCID_DATA_DIR": str(trace.data),
            **{name: proxy for each in ("HTTP", "HTTPS", "ALL") for name in (f"{each}_PROXY", f"{each}_proxy".lower())},
            "ORT_DISABLE_TELEMETRY": "0",  # the environment cannot turn it on
            **variables,
        }
        calls = ["-e", "signal=none", "-e", f"trace={_NETWORK},{_FILES}"]
        with subprocess.Popen(
            [strace, "-f", "-qq", "-y", "--seccomp-bpf", *calls, "-o", str(log), *command],
            env=environment,
            cwd=trace.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield trace, process
                _, trace.errors = process.communicate(timeout=300)
            finally:
                process.kill()
        trace.returncode = process.returncode
    lines = log.read_text("utf-8", "replace").splitlines()
    trace.addresses = {address for line in lines for address in outside(line)}
    own = (str(trace.data), str(trace.temporary))
    written = {path for line in lines for path in made(line) if not path.startswith(own)}
    # The home may lie in /dev/shm.
    devices = {path for path in written if path.startswith(_DEVICES) and not path.startswith(str(trace.home))}
    trace.written = {path for path in written - devices if "/__pycache__/" not in path}


def outside(line: str) -> list[str]:
    """Return the addresses beyond this machine in a line of strace."""
    found = _ADDRESS.findall(line) if "sa_family=AF_INET" in line else []
    return [f"{ip}:{port}" for port, ip in found if not ip.startswith("127.") and ip not in {"::1", "::ffff:127.0.0.1"}]


def made(line: str) -> list[str]:
    """Return the path that a line of strace creates or opens for writing, the last one of several."""
    call = _MADE.search(line)
    if call is None or not _WRITES.search(line) or re.search(r"\) += -1 E", line):
        return []
    folder, name = _NAME.findall(call[1])[-1]
    return [str(Path(folder or "/") / name)]


@contextmanager
def recording_proxy(asked: list[bytes]) -> Iterator[str]:
    """Run a proxy that does not answer, and record its requests."""

    def answer(listener: socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    asked.append(connection.recv(4096))
                except OSError as error:
                    asked.append(str(error).encode())

    with create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(2)
    thread.join(10)
