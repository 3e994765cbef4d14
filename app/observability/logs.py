"""Logs: one JSON object a line on standard error, or readable lines in a terminal. Never photos, vectors or names."""

import json
import logging
import math
import sys
import warnings
from contextlib import suppress
from typing import Any, TextIO

import structlog

from app.observability.printable import one_line, printable


def configure(*, is_json: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Set up structlog and send the standard library's logs through it, to `stream` (default: standard error)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_as_json)
        if is_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # others show variables, photos among them
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
    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata of a photo, whose answer says what is wrong
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def _printable(_logger: Any, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Let no text of a line look like another line, or steer the terminal; a traceback keeps its lines."""
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = printable(value) if name in {"exception", "stack"} else one_line(value)
    return fields


def _as_json(fields: Any, **options: Any) -> str:
    """Write JSON as the standard has it: it knows no NaN and no infinity, which become text."""
    try:
        return json.dumps(fields, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_finite(fields), allow_nan=False, **options)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


class _Handler(logging.StreamHandler[TextIO]):
    """Says in one line that a line could not be written, instead of printing a traceback and its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as the standard library has it
        failure = {"event": "log.failed", "level": "error", "logger": record.name, "line": record.lineno}
        with suppress(OSError, ValueError):  # nobody reads any more
            self.stream.write(json.dumps(failure) + self.terminator)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
