"""A camera that this process watches: its tracks, and the counts of its frames."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from app.gallery.store.camera_values import Camera
from app.notify.sighting import Sighting, SightingVerdict
from app.vision.imaging.decode import Image
from app.watch.frames import CameraFrame

_MOST_UNRECORDED = 100


class Tracks(Protocol):
    """The tracks of one camera; see `CameraTracks`."""

    @property
    def open_tracks(self) -> frozenset[str]:
        """The ids of open tracks."""

    def see(self, frame: Image, at: datetime) -> list[Sighting]:
        """Add a frame, and return the decisions that are new or have changed."""

    def finish(self) -> list[Sighting]:
        """End all tracks, and return their last decisions."""


TracksOf = Callable[[Camera], Tracks]
"""The tracks of a camera, without any frame yet."""


class SightingSink(Protocol):
    """Records sightings; see `SightingService`, and `remember` of unknown people."""

    def record(self, sighting: Sighting) -> list[str]:
        """Record a sighting and return the ids of its events."""

    def remember(self, sighting: Sighting) -> None:
        """Keep the best shot of an unknown person whose track has ended, if the collection remembers these."""


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Counts of a camera: frames that were searched and dropped, and tracks that are open now."""

    frames: int
    dropped: int
    open_tracks: int
    last_frame_at: datetime | None


class WatchedCamera:
    """A camera and its tracks. Usable by several threads."""

    def __init__(self, camera: Camera, tracks: Tracks, sink: SightingSink) -> None:
        self.camera = camera
        self.last_frame_at: datetime | None = None
        """Time of the last frame that came."""
        self.searched_until: datetime | None = None
        """Time of the last frame of open tracks: no earlier frame may follow."""
        self._tracks = tracks
        self._sink = sink
        self._lock = threading.Lock()
        self._alone = threading.Lock()
        self._unrecorded: deque[Sighting] = deque(maxlen=_MOST_UNRECORDED)
        self._unknown: dict[str, Sighting] = {}
        self._searched = time.monotonic()
        self._frames = 0
        self._dropped = 0
        self._open = 0

    @property
    def counts(self) -> FrameCounts:
        """The counts so far."""
        return FrameCounts(self._frames, self._dropped, self._open, self.last_frame_at)

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last frame was searched."""
        return time.monotonic() - self._searched

    def drop(self, frames: int = 1) -> None:
        """Count frames that are not searched."""
        self._dropped += frames

    def see(self, frame: CameraFrame) -> list[Sighting]:
        """Search a frame, record what is decided, and return it; raises the errors of `CameraTracks.see`.

        Sightings that could not be recorded are recorded with those of a later frame.
        """
        with self._lock:
            self._frames += 1
            self._searched, self.searched_until = time.monotonic(), frame.at
            decided = self._tracks.see(frame.image, frame.at)
            open_tracks = self._tracks.open_tracks
            self._open = len(open_tracks)
            self._record(decided)
            self._remember(decided, open_tracks)
        return decided

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Context manager: whether no other call is in a block of this method."""
        is_alone = self._alone.acquire(blocking=False)
        try:
            yield is_alone
        finally:
            if is_alone:
                self._alone.release()

    def finish(self) -> None:
        """End all tracks, and record their last decisions."""
        with self._lock:
            decided = self._tracks.finish()
            self._open, self.searched_until = 0, None
            self._record(decided)
            self._remember(decided, frozenset())

    def _remember(self, decided: Iterable[Sighting], open_tracks: frozenset[str]) -> None:
        """Remember the people who were unknown to the end of their tracks."""
        for each in decided:
            self._unknown.pop(each.track_id, None)
            if each.verdict is SightingVerdict.UNKNOWN and each.best_shot is not None:
                self._unknown[each.track_id] = each
        for track_id in self._unknown.keys() - open_tracks:
            self._sink.remember(self._unknown.pop(track_id))

    def _record(self, decided: Iterable[Sighting]) -> None:
        keeps = self.camera.setup.keeps_images
        self._unrecorded.extend(each if keeps else replace(each, best_shot=None) for each in decided)
        while self._unrecorded:
            self._sink.record(self._unrecorded[0])
            self._unrecorded.popleft()
