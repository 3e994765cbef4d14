"""A queue of one frame for each camera: a newer frame replaces one that was not taken."""

import threading
from collections import deque

from app.watch.frames import CameraFrame


class NewestFrames:
    """The newest frame of each camera. Cameras take turns; many threads put, one or several take."""

    def __init__(self) -> None:
        self._frames: dict[str, CameraFrame] = {}
        self._turns: deque[str] = deque()
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, camera_id: str, frame: CameraFrame) -> bool:
        """Put a frame; return False if it replaces a frame that nobody has taken, which is dropped."""
        with self._changed:
            is_new = camera_id not in self._frames
            self._frames[camera_id] = frame
            if is_new:
                self._turns.append(camera_id)
                self._changed.notify()
            return is_new

    def take(self, timeout: float | None = None) -> tuple[str, CameraFrame] | None:
        """Wait for a frame, and return it with its camera; None after `timeout` seconds, or once closed."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._turns or self._is_closed, timeout) or self._is_closed:
                return None
            camera_id = self._turns.popleft()
            return camera_id, self._frames.pop(camera_id)

    def discard(self, camera_id: str) -> None:
        """Drop the frame of a camera that is no longer watched."""
        with self._changed:
            if self._frames.pop(camera_id, None) is not None:
                self._turns.remove(camera_id)

    def close(self) -> None:
        """Wake all that wait; `take` then returns None."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
