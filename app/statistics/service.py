"""Statistics of a time, as callers see them."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from app.periodic_worker import PASSING
from app.statistics.counts import HOUR_S, Operation
from app.statistics.figures import Figures, figures_of
from app.statistics.store import BucketCount, Selection, StatisticsStore

_DAY_H = 24
_USUAL_DAYS = {"hour": 1, "day": 7}


class BucketSize(StrEnum):
    """Length of a bucket."""

    HOUR = "hour"
    DAY = "day"

    @property
    def hours(self) -> int:
        """Return the length in hours."""
        return 1 if self is BucketSize.HOUR else _DAY_H


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a time, in total and by the start of each bucket that has any.

    `is_truncated`: the asked time starts before the counts that are kept, and `since` is later.
    """

    since: datetime
    until: datetime
    is_truncated: bool
    total: Figures
    buckets: Mapping[datetime, Figures]


def _nothing() -> None:
    """Write nothing."""


class StatisticsService:
    """Reports of statistics. `write` is called before each report, so that it includes this process' requests."""

    def __init__(
        self,
        store: StatisticsStore,
        *,
        keep_days: int,
        write: Callable[[], None] = _nothing,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._write = write
        self.keep_days = keep_days
        self._clock = clock

    def report(
        self,
        size: BucketSize,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        collection: str | None = None,
        operation: Operation | None = None,
    ) -> Report:
        """Return the figures from the bucket of `since` to that of `until` (not included), in UTC.

        `until` defaults to now. `since` defaults to a day before it for hours, and to a week for days. Raises
        CollectionUnknown.
        """
        with suppress(*PASSING):  # the counts are kept, and written later
            self._write()
        now = self._clock() / HOUR_S
        end = now if until is None else min(until.timestamp() / HOUR_S, now)
        start = end - _USUAL_DAYS[size] * _DAY_H if since is None else since.timestamp() / HOUR_S
        kept = now - self.keep_days * _DAY_H
        first = int(max(start, kept) // size.hours) * size.hours
        last = max(first, -int(-end // size.hours) * size.hours)
        selection = Selection(first, last - 1, size.hours, collection, operation)
        counts = self._store.sums(selection)
        by_bucket: dict[int, list[BucketCount]] = defaultdict(list)
        for each in counts:
            by_bucket[each.bucket].append(each)
        buckets = {_moment(bucket * size.hours): figures_of(by_bucket[bucket]) for bucket in sorted(by_bucket)}
        is_truncated = since is not None and first * HOUR_S > since.timestamp()
        return Report(_moment(first), _moment(last), is_truncated, figures_of(counts), buckets)


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_S, UTC)
