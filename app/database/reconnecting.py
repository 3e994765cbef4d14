"""Waiting for a database server that restarts: requests wait some seconds, and other callers fail at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Connection = TypeVar("Connection")

WAIT_S = 10.0
"""How long requests wait for the server, counted from the first failure in this process.

PostgreSQL needs 2 s for a restart, and 6 to 8 s after a crash, on two busy cores (benchmarks/rolling_upgrade.py).
"""
_PAUSE_S = 0.1

_is_patient: ContextVar[bool] = ContextVar("is_patient", default=False)


@contextmanager
def patience() -> Iterator[None]:
    """Context manager: connections opened inside it wait for a server that restarts."""
    token = _is_patient.set(True)
    try:
        yield
    finally:
        _is_patient.reset(token)


class Reconnecting:
    """Connects to one server, repeatedly while it is away for less than `WAIT_S`.

    The wait ends at one moment for all threads, so requests do not queue behind each other. After it, requests
    fail at once.
    """

    def __init__(self, failure: type[Exception], clock: Callable[[], float] = time.monotonic) -> None:
        """`failure`: what the driver raises if it cannot connect."""
        self._failure = failure
        self._clock = clock
        self._away_since: float | None = None

    def connect(self, connect: Callable[[], Connection]) -> Connection:
        """Return a connection; raises the last failure."""
        while True:
            started = self._clock()
            try:
                connection = connect()
            except self._failure:
                self._away_since = started if self._away_since is None else self._away_since
                if not _is_patient.get() or self._clock() - self._away_since >= WAIT_S:
                    raise
                time.sleep(_PAUSE_S)
            else:
                self._away_since = None
                return connection
