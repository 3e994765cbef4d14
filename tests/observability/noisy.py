"""A process that writes to standard error in every way that once corrupted a JSON log, and ends with an exception."""

import contextlib
import logging
import os
import sys
import threading
import warnings

from app.observability import logs, stderr


class Failing:
    def __del__(self):
        raise ValueError("in a finaliser")


class Unprintable:
    def __str__(self):
        raise ValueError("a secret")


def main():
    logs.configure(is_json=True, stream=stderr.redirect_to_log())
    os.write(2, b"native one\nnative two, unfinished")
    os.write(2, b" and finished\n\xff\xfe no text\n")
    sys.stderr.write("printed\n")
    warnings.warn("a warning\nof two lines", stacklevel=1)
    logging.getLogger("library").warning("%d pieces", "no number: a secret")
    logging.getLogger("library").warning("%s", Unprintable())
    logs.get_logger("a").info("odd", value=object(), half="\ud800", number=float("nan"), key={1: b"bytes"})
    thread = threading.Thread(target=lambda: 1 / 0, name="broken")
    thread.start()
    thread.join()
    Failing()
    with contextlib.suppress(BlockingIOError):  # full: some of it is lost, and nobody waits
        for _ in range(200):
            os.write(2, b"x" * 9_999 + b"\n")
    raise RuntimeError("the last one")


if __name__ == "__main__":
    main()
