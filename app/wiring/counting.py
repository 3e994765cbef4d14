"""The statistics of a process."""

from functools import cached_property

from app.statistics.counts import Recorder
from app.statistics.service import StatisticsService
from app.statistics.store import StatisticsStore
from app.statistics.worker import StatisticsWorker
from app.wiring.resources import Resources


class Counting(Resources):
    """Resources of a process that counts requests."""

    @cached_property
    def recorder(self) -> Recorder | None:
        """The counts of this process; None if nothing is counted."""
        return Recorder() if self.settings.statistics.keep_days else None

    @cached_property
    def statistics_store(self) -> StatisticsStore:
        """The counts in the database."""
        return StatisticsStore(self.current_database.engine)

    @cached_property
    def statistics(self) -> StatisticsService:
        """Statistics, as callers see them."""
        keep_days, worker = self.settings.statistics.keep_days, self.statistics_worker
        if worker is None:
            return StatisticsService(self.statistics_store, keep_days=keep_days)
        return StatisticsService(self.statistics_store, keep_days=keep_days, write=worker.write)

    @cached_property
    def statistics_worker(self) -> StatisticsWorker | None:
        """The thread that writes the counts; None if nothing is counted."""
        settings = self.settings.statistics
        if self.recorder is None:
            return None
        return StatisticsWorker(
            self.recorder,
            self.statistics_store,
            every=settings.write_seconds,
            keep_days=settings.keep_days,
            settled=self.clock,
        )
