"""Replication: apply the writes of other processes to this process's indexes, and save snapshots.

Each process polls the change log in the database. No process notifies another one. For SQLite, a poll reads nothing
while nothing was committed (`DataVersion`).
"""

import time
from datetime import UTC, datetime, timedelta

from app.database.data_version import DataVersion
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
        version: DataVersion | None = None,
    ) -> None:
        """`keep`: how long changes stay in the log. A process that was away for longer reads all faces again.

        With the `version` of the database, the gallery follows only after commits.
        """
        super().__init__("follower", every=every)
        self._gallery = gallery
        self._changes = log
        self._version = version
        self._followed: tuple[int, int] | None = None
        self._save_every = save_every
        self._keep = keep
        self._clock = clock or WallClock()
        self._saved = self._trimmed = time.monotonic()

    def step(self) -> None:
        """Apply new changes; save snapshots and delete old changes when that is due."""
        now = time.monotonic()
        self._follow()
        if now - self._saved >= self._save_every:
            self._saved = now
            self._gallery.save()
        if now - self._trimmed >= _TRIM_EVERY and self._clock.is_settled():
            self._trimmed = now
            self._changes.trim(datetime.now(UTC) - self._keep)

    def _follow(self) -> None:
        version = self._version.read() if self._version is not None else None  # before the writes that follow it
        if version is not None and version == self._followed:
            self._gallery.note_current()
            return
        self._followed = None
        self._gallery.follow()
        self._followed = version
