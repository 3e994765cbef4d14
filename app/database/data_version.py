"""A cheap check whether anything was committed to an SQLite file since the last look."""

import threading
import time
from typing import Any

from sqlalchemy import Engine, event

from app.database.engine import is_sqlite_file
from app.observability.stages import add_stage


class DataVersion:
    """SQLite's `PRAGMA data_version`, on a connection that never writes; it costs microseconds and reads no row.

    Thread-safe. The connection opens at the first look and closes with the engine's pool.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None
        self._connections = 0
        self._lock = threading.Lock()
        if is_sqlite_file(engine.url):
            event.listen(engine, "engine_disposed", lambda _: self._close())

    def read(self) -> tuple[int, int] | None:
        """Return a value that changes with every commit of any connection or process.

        Read it before the rows: as long as the value is equal, they are unchanged. None if the database is not
        an SQLite file, or does not answer. SQLite counts for each connection, so the value names the connection too.
        """
        if not is_sqlite_file(self._engine.url):
            return None
        dialect, started = self._engine.dialect, time.perf_counter()
        with self._lock:
            try:
                if self._connection is None:
                    arguments, options = dialect.create_connect_args(self._engine.url)
                    self._connection = dialect.connect(*arguments, **options)
                    self._connections += 1
                # All rows are fetched: an open cursor would hold a snapshot, and block checkpoints.
                ((version,),) = self._connection.execute("PRAGMA data_version").fetchall()
            except dialect.loaded_dbapi.Error:
                return None
            add_stage("database", started, time.perf_counter())  # a statement as any other (`timing`)
            return self._connections, int(version)

    def _close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
