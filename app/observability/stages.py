"""How long each stage of a request took, for the Server-Timing header, the log and the request's trace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Span(Protocol):
    """A stage as a trace knows it (`app.observability.tracing`); stages within it are its children."""

    def child(self, name: str, started: float) -> "Span":
        """Begin a stage within this one, at a time of `time.perf_counter`."""

    def end(self, ended: float, error: type[BaseException] | None = None) -> None:
        """End it, at a time of `time.perf_counter`; with an error's class where it failed."""


_current: ContextVar[dict[str, float] | None] = ContextVar("stages", default=None)
_span: ContextVar[Span | None] = ContextVar("span", default=None)


@contextmanager
def recording() -> Iterator[dict[str, float]]:
    """Collect the stages that run inside, threads started with this context included: name -> seconds, summed."""
    stages: dict[str, float] = {}
    token = _current.set(stages)
    try:
        yield stages
    finally:
        _current.reset(token)


@contextmanager
def traced(span: Span | None) -> Iterator[None]:
    """Let the stages that run inside, threads started with this context included, be children of `span`."""
    token = _span.set(span)
    try:
        yield
    finally:
        _span.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time the block as stage `name`; does nothing where nobody records."""
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


def note(name: str, started: float, ended: float) -> None:
    """Add a stage that is over, by two times of `time.perf_counter`; does nothing where nobody records."""
    _add(name, ended - started)
    parent = _span.get()
    if parent is not None:
        parent.child(name, started).end(ended)


def _add(name: str, seconds: float) -> None:
    stages = _current.get()
    if stages is not None:
        stages[name] = stages.get(name, 0.0) + seconds


def so_far() -> dict[str, float]:
    """Return the stages of the recording that is under way, in seconds; empty where nobody records."""
    return dict(_current.get() or {})


def server_timing(stages: dict[str, float]) -> str:
    """Return the stages as a Server-Timing header (W3C Server Timing), in milliseconds."""
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in stages.items())
