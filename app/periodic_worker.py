"""Periodic workers: threads that repeat a step until they are stopped."""

import threading
from abc import ABC, abstractmethod

from app.errors import ArcidError
from app.observability.logs import get_logger

_log = get_logger(__name__)

PASSING = (ArcidError, OSError, RuntimeError, MemoryError)
"""Failures that may pass: database or engine unavailable, disk full, out of memory. The next step tries again."""


class PeriodicWorker(ABC):
    """A thread that takes a step every `every` seconds; see `start`, `stop`.

    A failure that may pass is logged once, until a step succeeds.
    """

    def __init__(self, name: str, *, every: float) -> None:
        """`name` is that of the thread, and of the log's event."""
        self._name = name
        self._pause = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"arcid-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the current step to finish."""
        self._stopping.set()
        self._thread.join()

    @abstractmethod
    def step(self) -> None:
        """Do what is due now; may raise the errors of `PASSING`."""

    def _run(self) -> None:
        is_failing = False
        while not self._stopping.wait(self._pause):
            try:
                self.step()
            except PASSING as error:
                if not is_failing:
                    _log.warning(f"{self._name}.failed", error=reason_of(error))
                is_failing = True
            else:
                is_failing = False


def reason_of(error: Exception) -> str:
    """Return an error as logs state it: its code, if it has one."""
    return error.code if isinstance(error, ArcidError) else repr(error)
