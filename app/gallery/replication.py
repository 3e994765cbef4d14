"""Replication: apply the writes of other processes to this process's indexes, and save snapshots.

Each process polls the change log in the database. No process notifies another one.
"""

import threading
import time
from datetime import UTC, datetime, timedelta

from app.errors import ArcidError
from app.gallery.gallery import Gallery
from app.gallery.store.change_log import ChangeLog
from app.observability.logs import get_logger

_log = get_logger(__name__)

_TRIM_EVERY = 3600.0  # seconds

# Passing failures: database or engine unavailable, disk full, out of memory. The next run catches up by the change log.
_PASSING = (ArcidError, OSError, RuntimeError, MemoryError)


class ReplicationWorker:
    """A thread that polls the change log every `every` seconds, and saves snapshots every `save_every` seconds."""

    def __init__(self, gallery: Gallery, log: ChangeLog, *, every: float, save_every: float, keep: timedelta) -> None:
        """`keep`: how long changes stay in the log. A process that was away for longer reads all faces again."""
        self._gallery = gallery
        self._changes = log
        self._every = every
        self._save_every = save_every
        self._keep = keep
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arcid-follower", daemon=True)

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the current run to finish."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        saved = trimmed = time.monotonic()
        is_away = False
        while not self._stopping.wait(self._every):
            now = time.monotonic()
            try:
                self._gallery.follow()
                if now - saved >= self._save_every:
                    saved = now
                    self._gallery.save()
                if now - trimmed >= _TRIM_EVERY:
                    trimmed = now
                    self._changes.trim(datetime.now(UTC) - self._keep)
            except _PASSING as error:
                if not is_away:
                    _log.warning("follower.failed", error=error.code if isinstance(error, ArcidError) else repr(error))
                is_away = True
            else:
                is_away = False
