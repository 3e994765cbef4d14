"""Statistics worker: write the counts of this process to the database, and delete old ones."""

import time
from collections.abc import Callable
from contextlib import suppress

from app.periodic_worker import PASSING, PeriodicWorker
from app.statistics.counts import HOUR_S, Recorder
from app.statistics.store import StatisticsStore
from app.wall_clock import WallClock

_DAY_H = 24


class StatisticsWorker(PeriodicWorker):
    """A thread that writes the counts every `every` seconds, and once more when it stops."""

    def __init__(
        self,
        recorder: Recorder,
        store: StatisticsStore,
        *,
        every: float,
        keep_days: int,
        clock: Callable[[], float] = time.time,
        settled: WallClock | None = None,
    ) -> None:
        super().__init__("statistics", every=every)
        self._recorder = recorder
        self._store = store
        self._keep_hours = keep_days * _DAY_H
        self._clock = clock
        self._settled = settled or WallClock()
        self._swept_at = 0

    def stop(self) -> None:
        """Stop, and write the last counts."""
        super().stop()
        with suppress(*PASSING):
            self.write()

    def step(self) -> None:
        """Write the counts; once an hour, delete old ones."""
        self.write()
        hour = int(self._clock() // HOUR_S)
        if hour != self._swept_at and self._settled.is_settled():
            self._store.forget(hour - self._keep_hours)
            self._swept_at = hour

    def write(self) -> None:
        """Write the counts; if that fails, keep them for the next time."""
        counts = self._recorder.take()
        if not counts:
            return
        try:
            self._store.add(counts)
        except PASSING:
            self._recorder.give_back(counts)
            raise
