"""How long each stage of a request took, for the Server-Timing header and the log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[dict[str, float] | None] = ContextVar("stages", default=None)


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
def stage(name: str) -> Iterator[None]:
    """Time the block as stage `name`; does nothing where nobody records."""
    started = time.perf_counter()
    try:
        yield
    finally:
        stages = _current.get()
        if stages is not None:
            stages[name] = stages.get(name, 0.0) + time.perf_counter() - started


def server_timing(stages: dict[str, float]) -> str:
    """Return the stages as a Server-Timing header (W3C Server Timing), in milliseconds."""
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in stages.items())
