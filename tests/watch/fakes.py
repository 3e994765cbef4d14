"""Fakes of sources, tracks and sinks."""

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from app.errors import CameraUnreachable
from app.gallery.store.camera_values import Camera, CameraKind, CameraSetup, CameraState, CameraStatus
from app.notify.sighting import Sighting
from app.vision.imaging.decode import Image
from app.watch.frames import CameraFrame
from tests.notify.sightings import sighting
from tests.watch.videos import grey

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SETUP = CameraSetup("door", "people", CameraKind.STREAM, "rtsp://ada:secret@10.0.0.5/live", 5)


def setup(**changes):
    return replace(SETUP, **changes)


def posted_setup(**changes):
    return setup(kind=CameraKind.POSTED, url=None, **changes)


def camera(**changes):
    return Camera(setup(**changes), CameraStatus(CameraState.WAITING, NOW), NOW, NOW)


def frame(at=None, level=100):
    return CameraFrame(Image(grey(level)), at or datetime.now(UTC))


@dataclass
class FakeTracks:
    """Decides on each frame, and remembers the frames."""

    seen: list[datetime] = field(default_factory=list)
    tracks: list[str] = field(default_factory=list)
    decision: dict[str, object] = field(default_factory=dict)
    finished: int = 0
    error: Exception | None = None
    at_frame: threading.Event = field(default_factory=threading.Event)
    go: threading.Event | None = None

    @property
    def open_tracks(self):
        return frozenset() if self.finished else frozenset(self.tracks)

    def see(self, _image, at):
        self.at_frame.set()
        if self.go is not None:
            assert self.go.wait(20)
        if self.error is not None:
            raise self.error
        self.seen.append(at)
        found = sighting(best_shot=b"jpeg", **self.decision)
        self.tracks.append(found.track_id)
        return [found]

    def finish(self):
        self.finished += 1
        return []


@dataclass
class FakeSink:
    """Remembers sightings."""

    recorded: list[Sighting] = field(default_factory=list)
    remembered: list[Sighting] = field(default_factory=list)
    error: Exception | None = None
    is_recorded: threading.Event = field(default_factory=threading.Event)

    def remember(self, found):
        self.remembered.append(found)

    def record(self, found):
        if self.error is not None:
            raise self.error
        self.recorded.append(found)
        self.is_recorded.set()
        return ["event"]


class FakeSource:
    """Yields frames that a test gives; `fail` ends the connection."""

    def __init__(self):
        self.connections = 0
        self._frames = []
        self._is_failing = False
        self._changed = threading.Condition()

    def give(self, *frames):
        with self._changed:
            self._frames += frames
            self._changed.notify_all()

    def fail(self):
        with self._changed:
            self._is_failing = True
            self._changed.notify_all()

    def frames(self):
        self.connections += 1
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._is_failing, timeout=20)
                if not self._frames:
                    self._is_failing = False
                    raise CameraUnreachable("no frames came from it")
                given = self._frames.pop(0)
            yield given
