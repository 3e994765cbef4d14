"""Retention worker: erase expired identities, one replica at a time, and finish delayed erasures."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from app.database.leader_lock import TaskLock
from app.database.scrubbing import Scrubber
from app.errors import CollectionUnknown, IdentityUnknown
from app.gallery.erasure import JobRedaction
from app.gallery.gallery import Gallery
from app.gallery.store.retention import Retention
from app.observability.logs import get_logger
from app.periodic_worker import PASSING, PeriodicWorker
from app.wall_clock import WallClock

_log = get_logger(__name__)

_CLAIM = "retention"
_AT_ONCE = 100  # people between two renewals of the lock
_RETRY = 1.0  # seconds until a delayed erasure is tried again


class RetentionWorker(PeriodicWorker):
    """A thread that sweeps every `every` seconds."""

    def __init__(  # noqa: PLR0913 - it brings the parts of an erasure together
        self,
        gallery: Gallery,
        retention: Retention,
        lock: TaskLock,
        scrubber: Scrubber,
        *,
        every: float,
        clock: WallClock | None = None,
        traces: JobRedaction | None = None,
        anchor: Callable[[], str] | None = None,
        anchor_every: float = 0,
        chores: Sequence[Callable[[], None]] = (),
    ) -> None:
        """Log the end of the audit trail, from `anchor`, every `anchor_every` seconds; 0: never.

        `chores` delete other data that has expired; each replica calls them with its sweeps.
        """
        super().__init__("housekeeper", every=min(_RETRY, every))
        self._anchor = anchor if anchor_every else None
        self._anchor_every = anchor_every
        self._traces = traces
        self._chores = chores
        self._gallery = gallery
        self._retention = retention
        self._lock = lock
        self._scrubber = scrubber
        self._every = every
        self._due = time.monotonic()  # at once
        self._anchored = self._due - anchor_every
        self._clock = clock or WallClock()

    def start(self) -> None:
        """Log the end of the audit trail before the service is ready, then start the thread."""
        with suppress(*PASSING):  # the first step tries again
            self._log_anchor()
        super().start()

    def sweep(self) -> int:
        """Erase expired identities and return their number; 0 while another replica holds the lock."""
        erased = 0
        while not self._stopping.is_set() and self._lock.take(_CLAIM, timedelta(seconds=self._every + 60)):
            expired = self._retention.expired(datetime.now(UTC), _AT_ONCE)
            for collection, identity_id in expired:
                if self._stopping.is_set():
                    break
                try:
                    removed = self._gallery.remove_identity(collection, identity_id, only_expired=True).removed
                    if self._traces is not None:
                        self._traces.redact(collection.name, [identity_id, removed.name or ""])
                    erased += 1
                except (IdentityUnknown, CollectionUnknown):  # enrolled again or deleted in between
                    continue
            if len(expired) < _AT_ONCE:
                break
        if erased:
            _log.info("retention.erased", identities=erased)
            self._scrubber.scrub()
        return erased

    def step(self) -> None:
        """Finish a delayed erasure; sweep and log the end of the audit trail when that is due."""
        if self._scrubber.is_pending:
            self._scrubber.scrub()
        if self._clock.is_settled() and time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every
            try:
                self.sweep()
            finally:  # an erasure that fails keeps no other data
                for chore in self._chores:
                    chore()
        self._log_anchor()

    def _log_anchor(self) -> None:
        if self._anchor is not None and time.monotonic() - self._anchored >= self._anchor_every:
            anchor, self._anchored = self._anchor(), time.monotonic()
            _log.info("audit.anchor", anchor=anchor)
