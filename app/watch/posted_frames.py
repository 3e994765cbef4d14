"""Frames that a client sends: searched at once, or dropped if the service or the camera is too busy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app.errors import CameraTakesNoFrames, PhotoRefused, RequestInvalid
from app.gallery.store.camera_values import Camera, CameraKind
from app.notify.sighting import Sighting
from app.vision.imaging.decode import Image
from app.watch.frames import CameraFrame
from app.watch.watched_camera import WatchedCamera

_TOLERANCE = 0.9  # of the period between two frames: clients' clocks are not exact
_AHEAD = timedelta(seconds=60)


class DropReason(StrEnum):
    """The reason why a frame was not searched."""

    BUSY = "busy"
    TOO_FAST = "too_fast"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True)
class PostedResult:
    """The result of posted frames.

    Attributes:
        codes: For each frame None if it was searched, a `DropReason`, or the code of the error that its photo has.
        sightings: The decisions that are new or have changed.
        open_tracks: Tracks that are open now.
    """

    codes: Sequence[str | None]
    sightings: Sequence[Sighting]
    open_tracks: int


class PostedFrames:
    """Searches the frames that clients post."""

    def __init__(
        self,
        watched_of: Callable[[Camera], WatchedCamera],
        decode: Callable[[bytes], Image],
        is_busy: Callable[[], bool],
    ) -> None:
        """`watched_of` returns the tracks of a camera; `decode` raises a PhotoRefused; `is_busy`: requests wait."""
        self._watched_of = watched_of
        self._decode = decode
        self._is_busy = is_busy

    def post(self, camera: Camera, frames: Sequence[bytes], times: Sequence[datetime] = ()) -> PostedResult:
        """Search the frames of a camera; without `times`, they are evenly spaced and the last one was taken now.

        Raises CameraTakesNoFrames, RequestInvalid if a time is in the future or missing, and the errors of
        `CameraTracks.see`.
        """
        setup = camera.setup
        if setup.kind is not CameraKind.POSTED or not setup.is_enabled:
            why = "is disabled" if setup.kind is CameraKind.POSTED else "has a URL, from which the service reads it"
            raise CameraTakesNoFrames(f"camera {setup.camera_id!r} takes no frames: it {why}")
        moments = _moments(times, len(frames), setup.fps)
        watched = self._watched_of(camera)
        with watched.alone() as is_alone:
            if not is_alone or self._is_busy():
                watched.drop(len(frames))
                return PostedResult([DropReason.BUSY] * len(frames), [], watched.counts.open_tracks)
            codes, sightings = [], list[Sighting]()
            for data, at in zip(frames, moments, strict=True):
                code, decided = self._search(watched, data, at)
                codes.append(code)
                sightings += decided
        return PostedResult(codes, sightings, watched.counts.open_tracks)

    def _search(self, watched: WatchedCamera, data: bytes, at: datetime) -> tuple[str | None, list[Sighting]]:
        code = _too_soon(watched, at) or (DropReason.BUSY if self._is_busy() else None)
        if code is not None:
            watched.drop()
            return code, []
        try:
            image = self._decode(data)
        except PhotoRefused as error:
            watched.drop()
            return error.code, []
        watched.last_frame_at = at
        return None, watched.see(CameraFrame(image, at))


def _too_soon(watched: WatchedCamera, at: datetime) -> DropReason | None:
    last = watched.searched_until
    if last is None or (at - last).total_seconds() >= _TOLERANCE / watched.camera.setup.fps:
        return None
    return DropReason.TOO_LATE if at <= last else DropReason.TOO_FAST


def _moments(times: Sequence[datetime], frames: int, fps: float) -> Sequence[datetime]:
    """Return the time of each frame, in UTC."""
    now = datetime.now(UTC)
    if not times:
        return [now - timedelta(seconds=(frames - 1 - place) / fps) for place in range(frames)]
    if len(times) != frames:
        raise RequestInvalid.at("times", f"times has {len(times)} items for {frames} frames; send one for each")
    if max(times) > now + _AHEAD:
        raise RequestInvalid.at("times", "a time is in the future; set the clock of the camera")
    return [each.astimezone(UTC) for each in times]
