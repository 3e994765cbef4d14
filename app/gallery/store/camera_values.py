"""Values of cameras."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CameraKind(StrEnum):
    """How the frames of a camera come."""

    STREAM = "stream"
    SNAPSHOTS = "snapshots"
    POSTED = "posted"


class CameraState(StrEnum):
    """Whether frames come from a camera."""

    WAITING = "waiting"
    CONNECTED = "connected"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class CameraSetup:
    """The settings of a camera.

    Attributes:
        camera_id: The caller's id of the camera, unique in the service.
        collection: The collection in which its faces are searched.
        kind: How its frames come.
        url: Address of the stream or snapshot, possibly with a password; None for posted frames.
        fps: Most frames a second.
        has_motion_gate: Frames without motion are searched only once a second.
        is_enabled: Whether it is watched.
        keeps_images: Whether sightings may contain the best shot.
    """

    camera_id: str
    collection: str
    kind: CameraKind
    url: str | None
    fps: float
    has_motion_gate: bool = True
    is_enabled: bool = True
    keeps_images: bool = False


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Status of a camera, as the process that watches it has written it. Counts start with that process."""

    state: CameraState
    since: datetime
    last_frame_at: datetime | None = None
    frames: int = 0
    frames_dropped: int = 0
    open_tracks: int = 0


@dataclass(frozen=True, slots=True)
class Camera:
    """A stored camera. `version` changes with its settings."""

    setup: CameraSetup
    status: CameraStatus
    created_at: datetime
    version: datetime
