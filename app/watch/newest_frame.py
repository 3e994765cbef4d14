"""A queue of one frame for each camera: a newer frame replaces one that was not taken."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from app.watch.frames import CameraFrame


class NewestFrames:
    """The newest frame of each camera. Cameras take turns, and frames of one camera are taken one after another."""

    def __init__(self) -> None:
        self._frames: dict[str, CameraFrame] = {}
        self._turns: deque[str] = deque()
        self._taken: set[str] = set()
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, camera_id: str, frame: CameraFrame) -> bool:
        """Put a frame; return False if it replaced an older frame that was still waiting."""
        with self._changed:
            is_new = camera_id not in self._frames
            self._frames[camera_id] = frame
            if is_new and camera_id not in self._taken:
                self._add_turn(camera_id)
            return is_new

    def wait(self) -> bool:
        """Wait for a frame; return False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._turns or self._is_closed)
            return not self._is_closed

    @contextmanager
    def taken(self) -> Iterator[tuple[str, CameraFrame] | None]:
        """Context manager: the frame whose turn it is, with its camera; None if no frame waits.

        The camera's next frame gets its turn after the block.
        """
        with self._changed:
            camera_id = self._turns.popleft() if self._turns else None
            item = None if camera_id is None else (camera_id, self._frames.pop(camera_id))
            if camera_id is not None:
                self._taken.add(camera_id)
        try:
            yield item
        finally:
            if camera_id is not None:
                with self._changed:
                    self._taken.discard(camera_id)
                    if camera_id in self._frames:
                        self._add_turn(camera_id)

    def discard(self, camera_id: str) -> None:
        """Drop the frame of a camera that is no longer watched."""
        with self._changed:
            if self._frames.pop(camera_id, None) is not None and camera_id in self._turns:
                self._turns.remove(camera_id)

    def close(self) -> None:
        """Wake all threads in `wait`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _add_turn(self, camera_id: str) -> None:
        self._turns.append(camera_id)
        self._changed.notify()
