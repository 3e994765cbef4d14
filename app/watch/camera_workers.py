"""The cameras of a service: each is read by one process, and changes apply without a restart."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from app.errors import CameraUnknown, EncryptionError
from app.gallery.store.camera_values import Camera, CameraKind, CameraState, CameraStatus
from app.gallery.store.cameras import CameraRepository
from app.observability.logs import get_logger
from app.periodic_worker import PASSING, PeriodicWorker, reason_of
from app.watch.camera_reader import CameraReader, SourceOf
from app.watch.frame_analysis import Courtesy, FrameAnalysis
from app.watch.frames import CameraFrame
from app.watch.newest_frame import NewestFrames
from app.watch.watched_camera import FrameCounts, SightingSink, TracksOf, WatchedCamera

_log = get_logger(__name__)

_LEASE = timedelta(seconds=30)
_RENEW_S = 10.0  # also the time between two writes of counts
_FRAMES_UNTIL_LOST = 3  # a camera with few frames a second may miss some
_STOP_S = 3.0
_IDLE_S = 30.0  # after this time without a frame, tracks of posted frames end


class CameraLeases(Protocol):
    """Leases of this process on cameras; see `TaskLock`."""

    def take(self, name: str, lasting: timedelta) -> bool:
        """Take or extend a lease; return False while another process has it."""

    def release(self, name: str) -> None:
        """Give a lease of this process back."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Options of a process's cameras.

    Attributes:
        every: Seconds between two looks at the stored cameras.
        threads: Frames that are searched at the same time.
        lost_seconds: A camera without a frame for so long is lost.
        most: Largest number of cameras.
    """

    every: float = 1.0
    threads: int = 1
    lost_seconds: float = 30.0
    most: int = 32


@dataclass(slots=True)
class _Reading:
    """A camera that this process reads."""

    watched: WatchedCamera
    reader: CameraReader
    started: datetime
    status: CameraStatus
    noted: float = 0.0


@dataclass(frozen=True, slots=True)
class _Noted:
    """A written status, and when it was written."""

    status: CameraStatus
    at: float


class CameraWorkers(PeriodicWorker):
    """Reads the enabled cameras, and keeps the tracks of those whose frames clients post."""

    def __init__(
        self,
        repository: CameraRepository,
        leases: CameraLeases,
        sink: SightingSink,
        *,
        source_of: Callable[[Camera], SourceOf],
        tracks_of: TracksOf,
        options: WatchOptions = WatchOptions(),
    ) -> None:
        """`source_of` returns how a camera is opened, and `tracks_of` new tracks for it."""
        super().__init__("cameras", every=options.every)
        self.courtesy = Courtesy()
        self._repository = repository
        self._leases = leases
        self._sink = sink
        self._source_of = source_of
        self._tracks_of = tracks_of
        self._options = options
        self._frames = NewestFrames()
        self._watched: dict[str, WatchedCamera] = {}
        self._posted: dict[str, WatchedCamera] = {}
        self._posted_noted: dict[str, _Noted] = {}
        self._posting = threading.Lock()
        self._reading: dict[str, _Reading] = {}
        self._elsewhere: dict[str, float] = {}
        self._analysis = FrameAnalysis(self._frames, self._watched, self.courtesy, threads=options.threads)

    def start(self) -> None:
        """Start the threads."""
        self._analysis.start()
        super().start()

    def stop(self) -> None:
        """Stop all threads, end all tracks, and give the leases back."""
        super().stop()
        for reading in self._reading.values():
            reading.reader.stop()
        self._analysis.stop()
        end = time.monotonic() + _STOP_S
        for camera_id in [*self._reading]:
            self._end(camera_id, max(0.0, end - time.monotonic()))
        for watched in self._posted.values():
            _finish(watched)

    def step(self) -> None:
        """Follow the stored cameras, and write the status of those that this process watches."""
        versions = self._repository.versions()
        for camera_id, reading in [*self._reading.items()]:
            if versions.get(camera_id) != reading.watched.camera.version:
                self._end(camera_id, 0)
        for camera_id, version in versions.items():
            if camera_id not in self._reading:
                self._start(camera_id, version)
        for camera_id in [*self._reading]:
            self._look_after(camera_id)
        self._tidy_posted(versions)
        for camera_id in [each for each in self._elsewhere if each not in versions]:
            del self._elsewhere[camera_id]

    def all_watched(self) -> Iterator[WatchedCamera]:
        """Yield the cameras that this process watches now."""
        yield from [*self._watched.values(), *self._posted.values()]

    def posted(self, camera: Camera) -> WatchedCamera:
        """Return the tracks of a camera whose frames clients post."""
        camera_id = camera.setup.camera_id
        with self._posting:
            watched = self._posted.get(camera_id)
            if watched is not None and watched.camera.version != camera.version:
                _finish(watched)
                watched = None
            if watched is None:
                watched = self._posted[camera_id] = WatchedCamera(camera, self._tracks_of(camera), self._sink)
            return watched

    def _start(self, camera_id: str, version: datetime) -> None:
        """Read a camera if no other process does."""
        now = time.monotonic()
        if self._elsewhere.get(camera_id, 0.0) > now:
            return
        self._elsewhere[camera_id] = now + _RENEW_S / 2  # look again then
        camera = self._camera(camera_id)
        if camera is None or camera.version != version or camera.setup.kind is CameraKind.POSTED:
            return
        if not self._leases.take(_lease(camera_id), _LEASE):
            return
        watched = WatchedCamera(camera, self._tracks_of(camera), self._sink)
        reader = CameraReader(camera_id, self._source_of(camera), lambda frame: self._put(watched, frame))
        status = CameraStatus(camera.status.state, camera.status.since)
        self._watched[camera_id] = watched
        self._reading[camera_id] = _Reading(watched, reader, datetime.now(UTC), status, now)
        reader.start()

    def _camera(self, camera_id: str) -> Camera | None:
        try:
            return self._repository.get(camera_id)
        except CameraUnknown:  # deleted since
            return None
        except EncryptionError as error:
            _log.warning("camera.failed", camera=camera_id, reason=error.code)
            return None

    def _put(self, watched: WatchedCamera, frame: CameraFrame) -> None:
        watched.last_frame_at = frame.at
        if not self._frames.put(watched.camera.setup.camera_id, frame):
            watched.drop()

    def _look_after(self, camera_id: str) -> None:
        """Renew the lease of a camera, and write its status if it has changed or some time has passed."""
        reading, now = self._reading[camera_id], time.monotonic()
        status = _status(reading, self._lost_after(reading.watched.camera))
        is_due = now - reading.noted >= _RENEW_S
        if is_due and not self._leases.take(_lease(camera_id), _LEASE):
            self._end(camera_id, 0)  # this process stood still for so long that another one has taken the camera
            return
        if status.state is not reading.status.state and status.state is CameraState.LOST:
            _finish(reading.watched)
        if is_due or status.state is not reading.status.state:
            self._repository.note(camera_id, reading.watched.camera.version, status)
            reading.status, reading.noted = status, now

    def _lost_after(self, camera: Camera) -> timedelta:
        return timedelta(seconds=max(self._options.lost_seconds, _FRAMES_UNTIL_LOST / camera.setup.fps))

    def _end(self, camera_id: str, seconds: float) -> None:
        reading = self._reading.pop(camera_id)
        self._elsewhere.pop(camera_id, None)
        reading.reader.stop()
        self._watched.pop(camera_id, None)
        self._frames.discard(camera_id)
        reading.reader.join(seconds)
        _finish(reading.watched)
        try:
            self._leases.release(_lease(camera_id))
        except PASSING as error:  # it ends by itself
            _log.warning("camera.release_failed", camera=camera_id, error=reason_of(error))

    def _tidy_posted(self, versions: dict[str, datetime]) -> None:
        """End the tracks of posted frames that stopped, and write the status of their cameras now and then."""
        for camera_id, watched in [*self._posted.items()]:
            if versions.get(camera_id) != watched.camera.version:
                self._posted.pop(camera_id, None)
                self._posted_noted.pop(camera_id, None)
                _finish(watched)
                continue
            is_idle = watched.idle_seconds > _IDLE_S
            if is_idle and watched.searched_until is not None:
                _finish(watched)
            self._note_posted(watched, CameraState.WAITING if is_idle else CameraState.CONNECTED)

    def _note_posted(self, watched: WatchedCamera, state: CameraState) -> None:
        camera_id, now = watched.camera.setup.camera_id, time.monotonic()
        noted = self._posted_noted.get(camera_id)
        same = noted if noted is not None and noted.status.state is state else None
        since = datetime.now(UTC) if same is None else same.status.since
        status = _of_counts(state, since, watched.counts)
        if same is None or (status != same.status and now - same.at >= _RENEW_S):
            self._repository.note(camera_id, watched.camera.version, status)
            self._posted_noted[camera_id] = _Noted(status, now)


def _lease(camera_id: str) -> str:
    return f"camera:{camera_id}"


def _finish(watched: WatchedCamera) -> None:
    """End the tracks of a camera; the decisions are lost if they cannot be recorded now."""
    try:
        watched.finish()
    except (*PASSING, CancelledError) as error:
        _log.warning("camera.finish_failed", camera=watched.camera.setup.camera_id, error=reason_of(error))


def _status(reading: _Reading, lost_after: timedelta) -> CameraStatus:
    now, counts = datetime.now(UTC), reading.watched.counts
    since = counts.last_frame_at or reading.started
    if now - since > lost_after:
        state = CameraState.LOST
    else:
        state = reading.status.state if counts.last_frame_at is None else CameraState.CONNECTED
    is_new = state is not reading.status.state
    return _of_counts(state, now if is_new else reading.status.since, counts)


def _of_counts(state: CameraState, since: datetime, counts: FrameCounts) -> CameraStatus:
    return CameraStatus(state, since, counts.last_frame_at, counts.frames, counts.dropped, counts.open_tracks)
