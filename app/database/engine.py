"""The engine: SQLite in WAL mode by default, or PostgreSQL.

With the execution option `is_reader`, a connection reads a snapshot and cannot write. With `has_time` (migrations),
only PostgreSQL's lock timeout applies, none of its other timeouts.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from app.database.failures import NO_FOLDER, translate
from app.database.timing import time_statements
from app.disk import make_folder
from app.errors import DatabaseNotWritable, DatabaseUnavailable, SettingsInvalid

BUSY_TIMEOUT_MS = 5000
POOL_SIZE, POOL_OVERFLOW = 5, 10
"""Pooled connections, and further ones under load: at most 15 for each process."""
POOL_TIMEOUT_S = 10


class _Pool(QueuePool):
    """A pool that raises DatabaseUnavailable if no connection becomes free in time."""

    _sqla_logger_namespace = "sqlalchemy.pool"  # it would log as a module of ArcID

    def connect(self) -> PoolProxiedConnection:
        try:
            return super().connect()
        except PoolTimeout as error:
            raise DatabaseUnavailable("the database is busy; try again", str(error)) from error


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{path}"


def open_engine(url: str) -> Engine:
    """Create the engine for `url`, and the folder of an SQLite file. It connects at first use.

    Raises SettingsInvalid if the URL is invalid or the driver is not installed, and DatabaseNotWritable if the folder
    cannot be created.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = _open_sqlite(parsed)
        elif parsed.get_backend_name() == "postgresql":
            engine = _open_postgresql(parsed)
        else:
            engine = create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        raise SettingsInvalid(f"ARCID_DATABASE_URL cannot be used: {error}") from error
    event.listen(engine, "handle_error", translate)
    time_statements(engine)
    return engine


def _pool_options() -> dict[str, Any]:
    return {
        "poolclass": _Pool,
        "pool_size": POOL_SIZE,
        "max_overflow": POOL_OVERFLOW,
        "pool_timeout": POOL_TIMEOUT_S,
    }


def _open_postgresql(url: URL) -> Engine:
    if url.drivername not in {"postgresql", "postgresql+psycopg"}:
        raise ArgumentError(f"{url.drivername} is not supported; write postgresql://...")
    # Imported here because the driver is an optional dependency.
    from app.database import postgresql  # noqa: PLC0415

    # After a restart of the server, a dead pooled connection is replaced at its first use.
    engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, **_pool_options())
    postgresql.prepare(engine)
    return engine


def is_sqlite_file(url: URL) -> bool:
    """Return whether a URL names an SQLite file, not memory."""
    return url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}


def _open_sqlite(url: URL) -> Engine:
    is_file = is_sqlite_file(url)
    engine = create_engine(url, **(_pool_options() if is_file else {}))
    if is_file:
        try:
            make_folder(Path(str(url.database)).parent)
        except OSError as error:
            raise DatabaseNotWritable(NO_FOLDER, str(error)) from error
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is deferred: two writers would fail instead of waiting. The event below sends ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    # The timeout comes first, because the other pragmas may have to wait too.
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    # Overwrite deleted data, and keep templates out of temporary files when sorting.
    for pragma in ("secure_delete=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # SQLite's lower() handles ASCII only; PostgreSQL finds "Zoë" by "ZOË", and so do we.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _begin_immediate(connection: Any) -> None:
    is_reader = connection.get_execution_options().get("is_reader", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")
