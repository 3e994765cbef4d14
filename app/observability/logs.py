"""Logs: JSON lines on standard error, or readable lines in a terminal. They never contain photos, vectors or names."""

import json
import logging
import math
import sys
import warnings
from contextlib import suppress
from typing import Any, TextIO

import structlog

from app.observability.printable import one_line, printable

_TALKATIVE = ("alembic", "httpx2", "sqlalchemy", "uvicorn")  # ArcID logs what its operator needs to know of their work


def configure(*, is_json: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Configure structlog, also for the standard library's logs, with output to `stream` (default: standard error)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if is_json else "%Y-%m-%d %H:%M:%S", utc=is_json),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_as_json)
        if is_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # others print variables, which may contain photos
        )
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *([] if is_json else [_printable]),
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata of a photo; the answer reports real errors
    _quieten()


def _quieten() -> None:
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)


def _printable(_logger: Any, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape line breaks and control characters in all text of a line; a traceback keeps its lines."""
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = printable(value) if name in {"exception", "stack"} else one_line(value)
    return fields


def _as_json(fields: Any, **options: Any) -> str:
    """Write standard JSON: NaN and infinity, which it lacks, become text."""
    try:
        return json.dumps(fields, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_finite(fields), allow_nan=False, **options)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


class _Handler(logging.StreamHandler[TextIO]):
    """Handler that reports a failed log line in one line, without a traceback and its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - name of the standard library
        failure = {"event": "log.failed", "level": "error", "logger": record.name, "line": record.lineno}
        with suppress(OSError, ValueError):  # the reader has gone
            self.stream.write(json.dumps(failure) + self.terminator)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
