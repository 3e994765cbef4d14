"""What a deletion leaves behind in the database's own files, and how it goes.

SQLite overwrites what is deleted (`PRAGMA secure_delete`), but its write-ahead log keeps older pages until it is
emptied, which waits for readers. PostgreSQL keeps dead rows, and their bytes after a
VACUUM, until the table is written anew.
"""

import sqlite3
import threading
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine

from app.database.failures import BUSY
from app.errors import DatabaseUnavailable

_TABLES = ("faces", "crops", "next_templates", "identities", "enrolments", "jobs", "job_errors")
_PATIENCE_MS = 1000


class Scrubber:
    """See `scrub`. Usable by several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._scrubbing = threading.Lock()
        self._is_pending = False

    @property
    def is_pending(self) -> bool:
        """Say whether readers have kept something from going."""
        return self._is_pending

    @property
    def keeps_dead_rows(self) -> bool:
        """Say whether the database keeps deleted rows until `rewrite`."""
        return not self._is_sqlite

    def scrub(self, patience_ms: int = _PATIENCE_MS) -> bool:
        """Empty SQLite's write-ahead log; False if readers are in the way, who are waited for so long."""
        if not self._is_sqlite:
            return True
        with self._scrubbing:
            connection: Any = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                (before,) = cursor.execute("PRAGMA busy_timeout").fetchone()
                cursor.execute(f"PRAGMA busy_timeout={patience_ms}")
                try:
                    (is_busy, _, _) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                except sqlite3.OperationalError:  # somebody else empties it
                    is_busy = 1
                cursor.execute(f"PRAGMA busy_timeout={before}")
                cursor.close()
            finally:
                connection.close()
            self._is_pending = bool(is_busy)
        return not is_busy

    def rewrite(self) -> None:
        """Write the tables with personal data anew, without what was ever deleted; takes room for them, and locks them.

        PostgreSQL keeps what a transaction that is older than the deletion could still see.
        Raises DatabaseUnavailable where somebody does not let go of them.
        """
        if self._is_sqlite:
            connection: Any = self._engine.raw_connection()
            try:
                connection.cursor().execute("VACUUM")
            except sqlite3.OperationalError as error:
                raise DatabaseUnavailable(BUSY, str(error)) from error
            finally:
                connection.close()
            self.scrub()
            return
        # Connections of the engine end statements that take long.
        patient = create_engine(self._engine.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with patient.connect() as postgresql:
            postgresql.exec_driver_sql("SET lock_timeout = 0")
            for table in _TABLES:
                postgresql.exec_driver_sql(f"VACUUM (FULL) {table}")
            postgresql.exec_driver_sql("CHECKPOINT")
