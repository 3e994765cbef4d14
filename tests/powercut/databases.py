"""The databases of a recorded service: the embedded one, and PostgreSQL on the same simulated disk."""

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from app.database.master_key_file import write_master
from tests.cluster import Cluster, binaries, give_to_owner
from tests.powercut.recorder import Recorder

DATA, SERVER, KEY = "data", "postgres", "master.key"
"""The folders of the service and of PostgreSQL in a recorded folder, and the master key of a service on PostgreSQL."""
_INITDB = ("--data-checksums", "--wal-segsize=1", "--locale=C.UTF-8")
DURABLE = (
    # Frequent checkpoints and a small cache, so that data files are written between the writes of the log.
    "-c max_wal_size=2MB -c min_wal_size=2MB -c shared_buffers=1MB -c checkpoint_timeout=30s -c bgwriter_delay=50ms"
    " -c autovacuum_naptime=1s -c wal_writer_delay=200ms"
)
"""Options of a recorded server; durability has PostgreSQL's default settings."""
_RESTARTED = "-c fsync=off -c full_page_writes=off -c autovacuum=off -c max_connections=30"

_CHECKED_TABLES = """
    SELECT string_agg(c.relname || ': ' || v.msg, ', ') FROM pg_class c, verify_heapam(c.oid) v WHERE c.relkind = 'r'
"""
_CHECKED_INDEXES = """
    SELECT string_agg(bt_index_parent_check(c.oid, true)::text, '')
    FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.relkind = 'i' AND a.amname = 'btree'
"""


class RestartedDatabase(Protocol):
    """The database that a restarted service uses."""

    def running(self, folder: Path) -> AbstractContextManager[dict[str, Any]]:
        """Context manager: start the database on a disk, and yield the settings of a service on it."""
        ...

    def damages(self, folder: Path) -> Iterator[str]:
        """Yield errors in the database's own files."""
        ...


class Embedded:
    """SQLite in the data folder."""

    @contextmanager
    def running(self, folder: Path) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - of the protocol
        """See RestartedDatabase."""
        yield {}

    def damages(self, folder: Path) -> Iterator[str]:
        """See RestartedDatabase."""
        with closing(sqlite3.connect(folder / DATA / "arcid.db")) as database:
            said = database.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok" or database.execute("PRAGMA foreign_key_check").fetchone():
                yield f"the database is damaged: {said}"


class PostgreSQL:
    """A server on the disk that a cut leaves; its socket is in `folder`, which its user owns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._url = ""

    @contextmanager
    def running(self, folder: Path) -> Iterator[dict[str, Any]]:
        """See RestartedDatabase. Raises AssertionError with the server's messages if it does not start."""
        data = folder / SERVER
        _give(data)
        (data / "postmaster.pid").unlink(missing_ok=True)  # Debian's pg_ctlcluster does so if it is stale
        cluster = Cluster(binaries(), self._folder, _RESTARTED, data=data)
        cluster.log.unlink(missing_ok=True)
        try:
            cluster.start()
        except subprocess.CalledProcessError as error:
            raise AssertionError(f"PostgreSQL does not start: {_messages(cluster.log)}") from error
        self._url = cluster.url
        try:
            yield {"database_url": cluster.url, "encryption": {"key_file": folder / KEY}}
        finally:
            cluster.stop()

    def damages(self, folder: Path) -> Iterator[str]:  # noqa: ARG002 - of the protocol
        """See RestartedDatabase; amcheck compares each table with its indexes, and reads each page's checksum."""
        with engine_of(self._url).begin() as connection:
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS amcheck"))
        for check in (_CHECKED_TABLES, _CHECKED_INDEXES):
            try:
                with engine_of(self._url).begin() as connection:
                    found = connection.execute(text(check)).scalar()
            except DBAPIError as error:
                found = error.orig
            if found:
                yield f"the database is damaged: {found}"


@contextmanager
def recorded_server(folder: Path, work: Path, options: str = "") -> Iterator[tuple[Recorder, Cluster]]:
    """Context manager: run a recorded PostgreSQL in a new folder.

    Its first start is finished before the recording starts. `options` are those of the server.
    """
    folder.mkdir(parents=True)
    work.mkdir(parents=True)
    (folder / SERVER).mkdir(0o700)
    give_to_owner(folder / SERVER)
    write_master(folder / KEY)
    with open_folder() as sockets:
        cluster = Cluster(binaries(), sockets, f"{DURABLE} {options}", data=folder / SERVER)
        cluster.create(*_INITDB)
        cluster.start()
        cluster.stop("fast")
        recorder = Recorder(folder, work, journaled=SERVER)
        for each in work.iterdir():
            give_to_owner(each)
        cluster.start(recorder.environment())
        try:
            yield recorder, cluster
        finally:
            cluster.stop()


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a new folder that the user of PostgreSQL can enter, like what is created in it during that time.

    The folders of pytest are closed to that user, and so are all new ones where root has a strict umask.
    """
    umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="arcid-server-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            give_to_owner(folder)
            yield folder
    finally:
        os.umask(umask)


def engine_of(url: str) -> Engine:
    """Return an engine without a pool, so that no connection outlives its use."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed, poolclass=NullPool)


def _give(data: Path) -> None:
    """Make the user of PostgreSQL the owner of a data folder, as before the cut."""
    if not data.is_dir():
        return
    give_to_owner(data)
    data.chmod(0o700)
    for path, folders, files in os.walk(data):
        for each in (*folders, *files):
            give_to_owner(Path(path, each))


def _messages(log: Path) -> str:
    """Return the errors of a server's log."""
    lines = log.read_text().splitlines()
    return "; ".join(line for line in lines if "PANIC:" in line or "FATAL:" in line) or "\n".join(lines[-5:])
