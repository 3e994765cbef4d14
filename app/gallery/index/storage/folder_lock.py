"""Fair lock for many readers or one writer, in which neither side starves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadWriteLock:
    """Guards an index: FAISS may be searched by many threads at once, but not while it changes.

    A waiting writer goes before new readers, and readers that waited during a write go before the next writer (a
    "phase-fair" lock). So a long import does not block searches.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._waiting_readers = 0
        self._invited_readers = 0  # readers that waited when the last writer ended, and have not started yet
        self._waiting_writers = 0
        self._is_writing = False
        self._written = 0  # number of finished writers

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the lock together with other readers."""
        with self._changed:
            before = self._written
            self._waiting_readers += 1
            self._changed.wait_for(
                lambda: not self._is_writing and (not self._waiting_writers or self._written != before)
            )
            self._waiting_readers -= 1
            self._invited_readers -= self._written != before
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._waiting_writers += 1
            self._changed.wait_for(lambda: not (self._is_writing or self._readers or self._invited_readers))
            self._waiting_writers -= 1
            self._is_writing = True
        try:
            yield
        finally:
            with self._changed:
                self._is_writing = False
                self._written += 1
                self._invited_readers = self._waiting_readers
                self._changed.notify_all()
