"""Whether the work of a context (a request's thread) is still wanted: told by whoever knows, heard by whoever waits."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from contextvars import ContextVar


class Cancellation:
    """Set once, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._callbacks: dict[int, Callable[[], None]] = {}

    def cancel(self) -> None:
        """Say that nobody waits for the result any more; whoever listens is called in this thread."""
        with self._lock:
            self._is_cancelled = True
            callbacks = list(self._callbacks.values())
        for each in callbacks:
            each()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` when it is cancelled while inside; at once when it has been already."""
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
        """Raise CancelledError once it is cancelled."""
        if self._is_cancelled:
            raise CancelledError


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def cancellable() -> Iterator[Cancellation]:
    """Let what runs inside, threads started with this context included, hear of a cancellation."""
    cancellation = Cancellation()
    token = _current.set(cancellation)
    try:
        yield cancellation
    finally:
        _current.reset(token)


@contextmanager
def on_cancel(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` if the work of this context is cancelled while inside; it must be quick and not raise."""
    cancellation = _current.get()
    if cancellation is None:
        yield
        return
    with cancellation.calling(callback):
        yield


def require_wanted() -> None:
    """Raise CancelledError if the work of this context is cancelled: asked before every run of a network."""
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.require_wanted()
