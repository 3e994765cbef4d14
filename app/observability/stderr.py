"""Standard error that holds log lines only: what others write there becomes a log line too.

Libraries in C (those of TIFF and JPEG among them) write to the file descriptor itself, about photos that anybody sends.
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


def take_over() -> TextIO:
    """Return a stream to where standard error led; from now on, whatever is written to that is logged line by line.

    For the rest of the process. Uncaught exceptions, in threads too, become one log line each.
    """
    stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    source, target = os.pipe()
    # Whoever writes may hold the interpreter's lock, without which nobody reads: a full pipe loses lines, never waits.
    if sys.platform != "win32":
        os.set_blocking(target, False)
    os.dup2(target, 2)
    os.close(target)
    reader = threading.Thread(target=_read, args=(source,), name="stderr", daemon=True)
    reader.start()
    atexit.register(_give_back, stream, reader)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    return stream


def _read(source: int) -> None:
    rest = b""
    while read := os.read(source, _AT_ONCE):
        *lines, rest = (rest + read).split(b"\n")
        for each in lines:
            _write(each)
        if len(rest) > _LONGEST_LINE:
            _write(rest)
            rest = b""
    _write(rest)


def _write(line: bytes) -> None:
    if text := line[:_LONGEST_LINE].decode("utf-8", "backslashreplace").strip():
        _log.warning("stderr", text=text)


def _give_back(stream: TextIO, reader: threading.Thread) -> None:
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
