"""`arcid` in a recording, where each sync has the calls in `app/` that it came from."""

import ctypes
import os
import sys
from types import FrameType
from typing import TYPE_CHECKING

from app.cli import main
from app.config import PROJECT

if TYPE_CHECKING:
    from _typeshed import HasFileno

_APP, _DISK = str(PROJECT / "app"), str(PROJECT / "app" / "disk.py")


def record_sites() -> None:
    """Name the calls that lead to each `os.fsync` to the recorder; does nothing without a recorder."""
    name_site = getattr(ctypes.CDLL(None), "powercut_site", None)
    if name_site is None:
        return
    sync = os.fsync

    def fsync(fd: "int | HasFileno") -> None:
        name_site(site_of(sys._getframe(1)).encode())
        try:
            sync(fd)
        finally:
            name_site(b"")

    os.fsync = fsync


def site_of(frame: FrameType | None) -> str:
    """Return the calls of `app/disk.py` on the stack and the call in another module of `app/` that made them.

    They are "path:line", the innermost first, separated by spaces.
    """
    calls = []
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_APP):
            calls.append(f"{path.removeprefix(f'{PROJECT}/')}:{frame.f_lineno}")
            if path != _DISK:
                break
        frame = frame.f_back
    return " ".join(calls)


if __name__ == "__main__":
    record_sites()
    main()
