"""Stage timings of a request, for the Server-Timing header, the log and the trace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Span(Protocol):
    """A stage in a trace (`tracing.StageSpan`); stages inside it are its children."""

    def child(self, name: str, started: float) -> "Span":
        """Start a stage inside this one, at a time of `time.perf_counter`."""

    def end(self, ended: float, error: type[BaseException] | None = None) -> None:
        """End the stage at a time of `time.perf_counter`; `error` is the class of the exception if it failed."""


_current: ContextVar[dict[str, float] | None] = ContextVar("stages", default=None)
_span: ContextVar[Span | None] = ContextVar("span", default=None)


@contextmanager
def recording() -> Iterator[dict[str, float]]:
    """Context manager: sum the seconds of each stage in the block, including threads that share this context."""
    stages: dict[str, float] = {}
    token = _current.set(stages)
    try:
        yield stages
    finally:
        _current.reset(token)


@contextmanager
def traced(span: Span | None) -> Iterator[None]:
    """Context manager: stages in the block become children of `span`, including those of threads with this context."""
    token = _span.set(span)
    try:
        yield
    finally:
        _span.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Context manager: time the block as stage `name`; has no effect without a recording or trace."""
    started = time.perf_counter()
    parent = _span.get()
    if parent is None:
        try:
            yield
        finally:
            _add(name, time.perf_counter() - started)
        return
    span = parent.child(name, started)
    token = _span.set(span)
    error: type[BaseException] | None = None
    try:
        yield
    except BaseException as failure:
        error = type(failure)
        raise
    finally:
        _span.reset(token)
        ended = time.perf_counter()
        span.end(ended, error)
        _add(name, ended - started)


def add_stage(name: str, started: float, ended: float) -> None:
    """Add a finished stage by two times of `time.perf_counter`; has no effect without a recording or trace."""
    _add(name, ended - started)
    parent = _span.get()
    if parent is not None:
        parent.child(name, started).end(ended)


def note(name: str, seconds: float) -> None:
    """Add a duration that is not a part of the request, such as an age; has no effect without a recording."""
    _add(name, seconds)


def _add(name: str, seconds: float) -> None:
    stages = _current.get()
    if stages is not None:
        stages[name] = stages.get(name, 0.0) + seconds


def recorded_stages() -> dict[str, float]:
    """Return the stages of the current recording in seconds; empty without a recording."""
    return dict(_current.get() or {})


def server_timing(stages: dict[str, float]) -> str:
    """Return the stages as a Server-Timing header (W3C Server Timing), in milliseconds."""
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in stages.items())
