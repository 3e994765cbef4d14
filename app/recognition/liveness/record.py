"""Record of checks of liveness: counts in memory, and lines of the audit trail. No scores."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from app.recognition.liveness.decisions import LivenessVerdict
from app.statistics.counts import Operation
from app.types import LivenessMode


@dataclass(frozen=True, slots=True)
class LivenessCount:
    """The key of a count of faces."""

    operation: Operation
    mode: LivenessMode
    verdict: LivenessVerdict


NoteRefused = Callable[[str, str, int], None]
"""Writes a line of the audit trail: collection, operation, number of refused faces."""


class LivenessLog:
    """The counts of a process from its start on, and its lines in the audit trail; threads may share it."""

    def __init__(self, note_refused: NoteRefused | None = None) -> None:
        self._note_refused = note_refused
        self._counts: Counter[LivenessCount] = Counter()
        self._lock = Lock()

    def count(self, key: LivenessCount) -> None:
        """Count a face."""
        with self._lock:
            self._counts[key] += 1

    def counts(self) -> Mapping[LivenessCount, int]:
        """Return the counts."""
        with self._lock:
            return dict(self._counts)

    def note_refused(self, collection: str, operation: Operation, faces: int) -> None:
        """Write a line of the audit trail about refused faces of a request."""
        if self._note_refused is not None:
            self._note_refused(collection, operation.value, faces)


@dataclass(frozen=True, slots=True)
class LivenessRecord:
    """The part of a log that is about one request."""

    log: LivenessLog
    operation: Operation
    collection: str | None

    def count(self, mode: LivenessMode, verdict: LivenessVerdict) -> None:
        """Count a face."""
        self.log.count(LivenessCount(self.operation, mode, verdict))

    def note_refused(self, faces: int) -> None:
        """Write a line of the audit trail; requests without a collection refuse nothing."""
        if self.collection is not None:
            self.log.note_refused(self.collection, self.operation, faces)
