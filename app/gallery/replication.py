"""Replication: apply the writes of other processes to this process's indexes, and save snapshots.

Each process polls the change log in the database. No process notifies another one.
"""

import time
from datetime import UTC, datetime, timedelta

from app.gallery.gallery import Gallery
from app.gallery.store.change_log import ChangeLog
from app.periodic_worker import PeriodicWorker
from app.wall_clock import WallClock

_TRIM_EVERY = 3600.0  # seconds


class ReplicationWorker(PeriodicWorker):
    """A thread that polls the change log every `every` seconds, and saves snapshots every `save_every` seconds."""

    def __init__(
        self,
        gallery: Gallery,
        log: ChangeLog,
        *,
        every: float,
        save_every: float,
        keep: timedelta,
        clock: WallClock | None = None,
    ) -> None:
        """`keep`: how long changes stay in the log. A process that was away for longer reads all faces again."""
        super().__init__("follower", every=every)
        self._gallery = gallery
        self._changes = log
        self._save_every = save_every
        self._keep = keep
        self._clock = clock or WallClock()
        self._saved = self._trimmed = time.monotonic()

    def step(self) -> None:
        """Apply new changes; save snapshots and delete old changes when that is due."""
        now = time.monotonic()
        self._gallery.follow()
        if now - self._saved >= self._save_every:
            self._saved = now
            self._gallery.save()
        if now - self._trimmed >= _TRIM_EVERY and self._clock.is_settled():
            self._trimmed = now
            self._changes.trim(datetime.now(UTC) - self._keep)
