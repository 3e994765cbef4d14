"""The thread that reads the frames of one camera, and connects again after a failure."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from datetime import UTC, datetime

from app.errors import ArcidError
from app.observability.logs import get_logger
from app.periodic_worker import PASSING
from app.watch.frames import CameraFrame, FrameSource

_log = get_logger(__name__)

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
SourceOf = Callable[[threading.Event], FrameSource]
"""Opens a source without connecting. Setting the event ends its pauses."""


class CameraReader:
    """Reads one camera in a thread; see `start`, `stop`. A failure is logged once, until a frame comes."""

    def __init__(
        self,
        camera_id: str,
        source_of: SourceOf,
        put: Callable[[CameraFrame], None],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter` (0..1) spreads the times at which cameras connect again."""
        self._camera_id = camera_id
        self._source_of = source_of
        self._put = put
        self._jitter = jitter
        self._stopping = threading.Event()
        self._is_failing = False
        self._waited = 0
        self._thread = threading.Thread(target=self._run, name=f"arcid-camera-{camera_id}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end. It may block until its next frame or timeout, but does not deliver that frame."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread, after `stop`."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
                reason = "stream_ended"
            except ArcidError as error:
                reason = f"{error.code}: {error.reason}" if error.reason else error.code
            except (*PASSING, CancelledError) as error:
                reason = type(error).__name__
            if not self._is_failing and not self._stopping.is_set():
                _log.warning("camera.failed", camera=self._camera_id, reason=reason)
            self._is_failing = True
            self._stopping.wait(self._wait())

    def _read(self) -> None:
        for frame in self._source_of(self._stopping).frames():
            if self._stopping.is_set():
                return
            if self._is_failing:
                _log.info("camera.connected", camera=self._camera_id, at=datetime.now(UTC).isoformat())
            self._is_failing, self._waited = False, 0
            self._put(frame)

    def _wait(self) -> float:
        """Return the seconds until the next attempt: exponential back-off with jitter."""
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(self._waited, 10))
        self._waited += 1
        return longest * (0.5 + self._jitter() / 2)
