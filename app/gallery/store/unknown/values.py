"""Values of unknown faces and their groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.database.cipher import Sealed
from app.types import Box, Detection, Floats, Pixels
from app.vision.quality import Quality


class FaceOrigin(StrEnum):
    """How an unknown face came to the service."""

    CAMERA = "camera"
    IDENTIFY = "identify"
    IMPORT = "import"


class GroupState(StrEnum):
    """State of a group: to be reviewed, left out of the review, or left out until it has another face."""

    OPEN = "open"
    IGNORED = "ignored"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class NewUnknownFace:
    """An unknown face to store.

    Attributes:
        face_id: Its public id.
        vector: Unit vector (d,) by the collection's network.
        norm: Raw feature norm.
        quality: Its quality.
        detection: What was detected, in pixels of the photo.
        image_sha256: SHA-256 of the photo. Two faces of one photo are never one person.
        place: Place of the face in the photo, from 0.
        origin: How it came.
        seen_at: When it was seen; it is kept from then on.
        source: The camera, if it comes from one.
        sealed_crop: The encrypted crop, if the collection keeps crops.
    """

    face_id: str
    vector: Floats
    norm: float
    quality: Quality
    detection: Detection
    image_sha256: str
    place: int
    origin: FaceOrigin
    seen_at: datetime
    source: str | None = None
    sealed_crop: Sealed | None = None


@dataclass(frozen=True, slots=True)
class UnknownGroup:
    """A group of unknown faces.

    Attributes:
        key: Its number in the database.
        group_id: Its public id, which stays while the group grows.
        state: See `GroupState`.
        faces: Number of its faces.
        face_id: The face to show, of the best quality.
        has_image: Whether that face has an image.
        revision: Number of its changes.
        first_seen: When the first of its faces was seen.
        last_seen: When the last of its faces was seen.
    """

    key: int
    group_id: str
    state: GroupState
    faces: int
    face_id: str | None
    has_image: bool
    revision: int
    first_seen: datetime
    last_seen: datetime

    @property
    def version(self) -> str:
        """Opaque version (used as ETag); changes with the group."""
        return group_version(self.group_id, self.revision)


def group_version(group_id: str, revision: int) -> str:
    """Return the version of a group."""
    return f"{group_id}-{revision}"


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """A page of groups, the largest first; `after` is the number of groups up to the next page, None on the last page.

    `total` counts the groups on all pages, `faces` the unknown faces of the collection, `ungrouped` those in no group.
    """

    items: Sequence[UnknownGroup]
    after: int | None
    total: int
    faces: int
    ungrouped: int


@dataclass(frozen=True, slots=True)
class UnknownFaceRecord:
    """A stored unknown face, without its template; `key` is its position in lists."""

    key: int
    face_id: str
    group_id: str | None
    quality: Quality
    box: Box
    origin: FaceOrigin
    source: str | None
    seen_at: datetime
    has_image: bool


@dataclass(frozen=True, slots=True)
class GroupedFace:
    """A face of a group, opened: to be enrolled.

    `vector` (d,) is None if the template is of another network or cannot be opened; `crop` (112, 112, 3), RGB, is None
    if none was stored.
    """

    face_id: str
    vector: Floats | None
    norm: float
    quality: Quality
    detection: Detection
    image_sha256: str
    crop: Pixels | None
