"""Redirection of standard error to the log, so that it contains only log lines.

C libraries, such as those for TIFF and JPEG, write messages about clients' photos directly to the file descriptor.
"""

import atexit
import os
import sys
import threading
from types import TracebackType
from typing import TextIO

from app.observability.logs import get_logger

_log = get_logger(__name__)
_LONGEST_LINE = 4096
_AT_ONCE = 65_536
_DRAIN_S = 1


def redirect_to_log() -> TextIO:
    """Log each line written to standard error, for the rest of the process; return a stream to the original target.

    An uncaught exception, also in a thread, becomes one log line.
    """
    stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    source, target = os.pipe()
    # A writer may hold the interpreter lock, which the reader needs: a full pipe drops lines instead of blocking.
    if sys.platform != "win32":
        os.set_blocking(target, False)
    os.dup2(target, 2)
    os.close(target)
    reader = threading.Thread(target=_read, args=(source,), name="stderr", daemon=True)
    reader.start()
    atexit.register(_restore, stream, reader)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    return stream


def _read(source: int) -> None:
    remainder = b""
    while read := os.read(source, _AT_ONCE):
        *lines, remainder = (remainder + read).split(b"\n")
        for line in lines:
            _write(line)
        if len(remainder) > _LONGEST_LINE:
            _write(remainder)
            remainder = b""
    _write(remainder)


def _write(line: bytes) -> None:
    if text := line[:_LONGEST_LINE].decode("utf-8", "backslashreplace").strip():
        _log.warning("stderr", text=text)


def _restore(stream: TextIO, reader: threading.Thread) -> None:
    sys.stderr.flush()
    os.dup2(stream.fileno(), 2)
    reader.join(_DRAIN_S)


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _log.critical("process.failed", exc_info=(kind, error, traceback))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        thread = args.thread.name if args.thread is not None else None
        _log.critical("thread.failed", thread=thread, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    error = unraisable.exc_value
    if error is not None:
        _log.error("ignored.failed", exc_info=(unraisable.exc_type, error, unraisable.exc_traceback))
