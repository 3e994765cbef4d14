"""Replicas of ArcID behind nginx, each of which can run another version of the code."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server

import httpx2
from crash import Lost

PROJECT = Path(__file__).parents[1]
_HOST = "127.0.0.1"
_READY_S = 300.0
_ENDS_S = 60.0  # on busy cores; TimeoutStopSec of docs/deploy.md is 20
_PARTS = ("app", "migrations", "models", "pyproject.toml")
_NEXT = '''"""the next version, of a benchmark: a column and a table"""

import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identities", sa.Column("next_value", sa.String(9), nullable=True))
    op.create_table("next_things", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("next_things")
    op.drop_column("identities", "next_value")
'''
_NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/nginx-errors warn; worker_processes 1; {user}
events {{ worker_connections 256; }}
http {{
    log_format tries '$status $upstream_status $request_method';
    access_log {folder}/tries tries;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/arcid.conf;
}}
"""


@dataclass(frozen=True)
class Version:
    """A version of the code, in a folder."""

    name: str
    folder: Path

    def run(self, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `arcid` of this version and wait for it."""
        command, own = self.command(*arguments), self._own(environment)
        return subprocess.run(command, env=own, cwd=self.folder, capture_output=True, text=True, check=False)

    def start(self, environment: dict[str, str], log: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `arcid` of this version; its output goes to the end of a file."""
        command, own = self.command(*arguments), self._own(environment)
        with log.open("ab") as output:
            return subprocess.Popen(command, env=own, cwd=self.folder, stdout=output, stderr=output)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that starts `arcid`."""
        return [sys.executable, "-c", "from app.cli import main; main()", *arguments]

    def _own(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "PYTHONPATH": str(self.folder)}


@contextmanager
def version_of(revision: str, folder: Path) -> Iterator[Version]:
    """Check out a revision into a folder; remove the folder at the end."""
    trees = [str(shutil.which("git")), "-C", str(PROJECT), "worktree"]
    subprocess.run([*trees, "add", "-q", "--detach", str(folder), revision], check=True)
    try:
        yield Version(revision, folder)
    finally:
        subprocess.run([*trees, "remove", "--force", str(folder)], check=True)


def this_version(folder: Path) -> Version:
    """Copy this version to a folder, so that the code may change during a run."""
    folder.mkdir()
    for each in _PARTS:
        source = PROJECT / each
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / each)
    return Version("this", folder)


def next_version(folder: Path, head: str) -> Version:
    """Copy this version to a folder and add a migration to it."""
    this_version(folder)
    (folder / "migrations" / "versions" / "next.py").write_text(_NEXT.format(head=head))
    return Version("next", folder)


@dataclass
class Replica:
    """One `arcid serve`, which keeps its port and its data folder over restarts."""

    environment: dict[str, str]
    folder: Path
    port: int
    client: httpx2.Client
    version: Version
    process: subprocess.Popen[bytes] | None = None

    def start(self, version: Version) -> float:
        """Start this version and wait until it is ready; return the seconds that this took."""
        started, self.version = time.monotonic(), version
        own = {**self.environment, "ARCID_DATA_DIR": str(self.folder)}
        self.process = version.start(own, self.log, "serve", "--port", str(self.port))
        while time.monotonic() < started + _READY_S and self.process.poll() is None:
            if self.is_ready():
                return time.monotonic() - started
            time.sleep(0.1)
        raise Lost(f"a replica of version {version.name} did not become ready: {self.log.read_text()[-2000:]}")

    def is_ready(self) -> bool:
        """Return whether it answers that it is ready."""
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def stop(self) -> float:
        """Stop gracefully; return the seconds that this took."""
        started = time.monotonic()
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(_ENDS_S)
        return time.monotonic() - started

    def kill(self) -> None:
        """End at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> Path:
        """The output of all its processes."""
        return self.folder / "service.log"


@dataclass
class ReplicaSet:
    """Three replicas, and the proxy in front of them."""

    folder: Path
    replicas: list[Replica] = field(default_factory=list)
    address: str = ""

    def tries(self) -> tuple[int, int]:
        """Return how many requests the proxy has passed on, and how many of them to more than one replica."""
        lines = (self.folder / "tries").read_text().splitlines()
        return len(lines), sum("," in line or " : " in line for line in lines)


@contextmanager
def replica_set(folder: Path, environment: dict[str, str], version: Version, key: str) -> Iterator[ReplicaSet]:
    """Start three replicas and nginx with docker/nginx-replicas.conf; end them at the end."""
    replicas = ReplicaSet(folder)
    try:
        for number in range(3):
            own, port = folder / f"replica-{number}", free_port()
            own.mkdir()
            client = httpx2.Client(base_url=f"http://{_HOST}:{port}", timeout=60, headers={"X-Api-Key": key})
            replicas.replicas.append(Replica(environment, own, port, client, version))
            replicas.replicas[-1].start(version)
        with _nginx(folder, [each.port for each in replicas.replicas]) as port:
            replicas.address = f"http://{_HOST}:{port}"
            yield replicas
    finally:
        for each in replicas.replicas:
            each.kill()
            each.client.close()


@contextmanager
def _nginx(folder: Path, ports: list[int]) -> Iterator[int]:
    """Run nginx without TLS in front of replicas; yield its port."""
    port, text = free_port(), (PROJECT / "docker" / "nginx-replicas.conf").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.strip().startswith(("ssl_", "server_name"))]
    text = "\n".join(lines).replace("listen 443 ssl", f"listen {_HOST}:{port}")
    for number, each in enumerate(ports, start=1):
        text = text.replace(f"{_HOST}:800{number}", f"{_HOST}:{each}")
    (folder / "arcid.conf").write_text(text, "utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user), "utf-8")
    with subprocess.Popen([str(shutil.which("nginx")), "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
        try:
            yield port
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with create_server((_HOST, 0)) as listener:
        return int(listener.getsockname()[1])
