"""Purging deleted data from the database's files.

SQLite overwrites deleted rows (`PRAGMA secure_delete`), but its write-ahead log keeps older pages until it is emptied,
and emptying it must wait for readers. PostgreSQL keeps dead rows, and their bytes even after VACUUM, until the table is
rewritten.
"""

import sqlite3
import threading
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine

from app.database.failures import BUSY
from app.errors import DatabaseUnavailable

TABLES = (
    *("faces", "crops", "next_templates", "identities", "enrolments", "jobs", "job_errors"),
    *("reviews", "review_candidates", "review_decisions", "review_images"),
    *("unknown_faces", "unknown_crops", "unknown_groups", "events", "deliveries", "rule_cooldowns"),
    *("cameras", "destinations"),
)
"""Tables with personal data or with secrets of others, such as the passwords of cameras."""
_PATIENCE_MS = 1000


class Scrubber:
    """Purges deleted data from the database's files. Usable by several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._scrubbing = threading.Lock()
        self._is_pending = False

    @property
    def is_pending(self) -> bool:
        """Return whether readers have kept deleted data from being purged."""
        return self._is_pending

    @property
    def keeps_dead_rows(self) -> bool:
        """Return whether the database keeps deleted rows until `rewrite`."""
        return not self._is_sqlite

    def scrub(self, patience_ms: int = _PATIENCE_MS) -> bool:
        """Empty SQLite's write-ahead log; return False if readers still use it after the timeout."""
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
                except sqlite3.OperationalError:  # another process empties it
                    is_busy = 1
                cursor.execute(f"PRAGMA busy_timeout={before}")
                cursor.close()
            finally:
                connection.close()
            self._is_pending = bool(is_busy)
        return not is_busy

    def rewrite(self) -> None:
        """Rewrite the tables with personal data, without deleted rows; this needs disk space and locks the tables.

        PostgreSQL keeps rows that a transaction older than the deletion can still see. Raises DatabaseUnavailable if
        the tables cannot be locked.
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
        # The engine's own connections have a statement timeout.
        patient = create_engine(self._engine.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with patient.connect() as postgresql:
            postgresql.exec_driver_sql("SET lock_timeout = 0")
            for table in TABLES:
                postgresql.exec_driver_sql(f"VACUUM (FULL) {table}")
            postgresql.exec_driver_sql("CHECKPOINT")
