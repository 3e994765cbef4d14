"""Counting in memory: what a request adds, and the sums until they are written."""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

SECONDS = tuple(round(0.005 * 1.5**step, 4) for step in range(23))
"""Upper bounds of the ranges of latency, from 5 ms to 37 s; above the last one there is one more range."""
QUALITIES = 20
"""Number of ranges of quality, from 0 to 1."""
HOUR_S = 3600
_MOST = 20_000  # counts in memory; requests may name any number of collections


class Operation(StrEnum):
    """The service that a request asks for."""

    IDENTIFY = "identify"
    VERIFY = "verify"
    SEARCH = "search"
    ENROLL = "enroll"
    DETECT = "detect"
    EMBED = "embed"


class Series(StrEnum):
    """Kind of a count: requests by range of latency, verdicts, refusals by code, faces by range of quality."""

    REQUEST = "request"
    VERDICT = "verdict"
    REFUSAL = "refusal"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class Count:
    """The key of a count. `collection` is a name; None if the request names no collection."""

    hour: int
    collection: str | None
    series: Series
    operation: Operation
    label: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One result of a request: a verdict or the quality of a face, or the refusal of the request or of a photo."""

    series: Series
    label: str

    @classmethod
    def of_quality(cls, score: float) -> "Observation":
        """Return the outcome of a face with a quality of 0..1."""
        return cls(Series.QUALITY, str(min(int(score * QUALITIES), QUALITIES - 1)))


class Recorder:
    """Sums of this process since they were last taken; threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: Counter[Count] = Counter()
        self._lock = Lock()

    def count(
        self, operation: Operation, collection: str | None, seconds: float, outcomes: Iterable[Observation] = ()
    ) -> None:
        """Count a request that took `seconds`, with its outcomes."""
        hour = int(self._clock() // HOUR_S)
        latency = Observation(Series.REQUEST, str(bisect_left(SECONDS, seconds)))
        with self._lock:
            for each in (latency, *outcomes):
                key = Count(hour, collection, each.series, operation, each.label)
                if key in self._counts or len(self._counts) < _MOST:
                    self._counts[key] += 1

    def take(self) -> Mapping[Count, int]:
        """Return the sums and start again from zero."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def give_back(self, counts: Mapping[Count, int]) -> None:
        """Add sums that could not be written; they are dropped if there are too many already."""
        with self._lock:
            if len(self._counts) + len(counts) <= 2 * _MOST:
                self._counts.update(counts)
