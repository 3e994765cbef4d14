"""Threads that search the frames of all cameras; requests come first."""

import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Protocol

from app.observability.logs import get_logger
from app.periodic_worker import PASSING, reason_of
from app.watch.frames import CameraFrame
from app.watch.newest_frame import NewestFrames
from app.watch.watched_camera import WatchedCamera

_log = get_logger(__name__)

_LOWEST_PRIORITY = 19
_LOOK_S = 0.005  # between two checks of the load
_PATIENCE_S = 1.0  # a service that is always busy still searches a frame now and then


class Load(Protocol):
    """The load of a service by requests; its methods are called from any thread."""

    def is_full(self) -> bool:
        """Return whether all slots for requests are taken."""

    def has_waiting(self) -> bool:
        """Return whether requests wait."""


class Courtesy:
    """Pauses cameras while the service is full, but delays a frame by a second at most."""

    def __init__(self) -> None:
        self._load: Load | None = None

    def give_way_to(self, load: Load) -> None:
        """Pause for this load from now on."""
        self._load = load

    def has_waiting(self) -> bool:
        """Return whether requests wait."""
        return self._load is not None and self._load.has_waiting()

    def wait(self, patience: float = _PATIENCE_S) -> None:
        """Wait until the service is no longer full, for `patience` seconds at most."""
        end = time.monotonic() + patience
        while self._load is not None and self._load.is_full() and time.monotonic() < end:
            time.sleep(_LOOK_S)


class FrameAnalysis:
    """Searches frames of cameras in threads of the lowest priority; see `start`, `stop`."""

    def __init__(
        self, frames: NewestFrames, watched: Mapping[str, WatchedCamera], courtesy: Courtesy, *, threads: int
    ) -> None:
        """`watched` are the cameras by their ids; it may change."""
        self._frames = frames
        self._watched = watched
        self._courtesy = courtesy
        self._failing: set[str] = set()
        self._threads = [
            threading.Thread(target=self._run, name=f"arcid-frames-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the current frames."""
        self._frames.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _run(self) -> None:
        _take_lowest_priority()
        while self._frames.wait():
            self._courtesy.wait()
            with self._frames.taken() as item:
                if item is not None and (watched := self._watched.get(item[0])) is not None:
                    self._search(watched, item[1])

    def _search(self, watched: WatchedCamera, frame: CameraFrame) -> None:
        """Search a frame. A failure is logged once, until a frame of the camera is searched."""
        camera_id = watched.camera.setup.camera_id
        try:
            watched.see(frame)
        except CancelledError:
            return
        except PASSING as error:
            if camera_id not in self._failing:
                _log.warning("camera.frames_failed", camera=camera_id, error=reason_of(error))
            self._failing.add(camera_id)
        else:
            self._failing.discard(camera_id)


def _take_lowest_priority() -> None:
    """Give this thread the lowest priority; on Linux, where threads have priorities."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
