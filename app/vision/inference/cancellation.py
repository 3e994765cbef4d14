"""Cancellation of the work in a context (a request's thread), for example when the client has disconnected."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from contextvars import ContextVar


class Cancellation:
    """A flag that can be set once, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._callbacks: dict[int, Callable[[], None]] = {}

    def cancel(self) -> None:
        """Cancel the work, and call the callbacks in this thread."""
        with self._lock:
            self._is_cancelled = True
            callbacks = list(self._callbacks.values())
        for callback in callbacks:
            callback()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Context manager: call `callback` if the work is cancelled inside, or at once if it already is."""
        with self._lock:
            is_cancelled = self._is_cancelled
            self._callbacks[id(callback)] = callback
        try:
            if is_cancelled:
                callback()
            yield
        finally:
            with self._lock:
                self._callbacks.pop(id(callback), None)

    def require_wanted(self) -> None:
        """Raise CancelledError if the work is cancelled."""
        if self._is_cancelled:
            raise CancelledError


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def cancellable() -> Iterator[Cancellation]:
    """Context manager: make the work inside cancellable, including threads that are started with this context."""
    cancellation = Cancellation()
    token = _current.set(cancellation)
    try:
        yield cancellation
    finally:
        _current.reset(token)


@contextmanager
def on_cancel(callback: Callable[[], None]) -> Iterator[None]:
    """Context manager: call `callback` if this context's work is cancelled inside. It must be quick and not raise."""
    cancellation = _current.get()
    if cancellation is None:
        yield
        return
    with cancellation.calling(callback):
        yield


def require_wanted() -> None:
    """Raise CancelledError if the work of this context is cancelled. Called before every run of a network."""
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.require_wanted()
