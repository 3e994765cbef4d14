"""Timing of the stage `database`: each statement of a request, until its first row (commits are not counted)."""

import time
from typing import Any

from sqlalchemy import Engine, event

from app.observability.stages import add_stage

_STARTED = "arcid.started"


def time_statements(engine: Engine) -> None:
    """Add the time of each successful statement to the stage `database`; neither text nor values are recorded."""
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)


def _begin(connection: Any, *_: Any) -> None:
    connection.info[_STARTED] = time.perf_counter()


def _end(connection: Any, *_: Any) -> None:
    started = connection.info.pop(_STARTED, None)
    if started is not None:
        add_stage("database", started, time.perf_counter())
