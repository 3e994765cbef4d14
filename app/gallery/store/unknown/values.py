"""Values of unknown faces and their groups."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.database.cipher import Sealed
from app.types import Detection, Floats
from app.vision.quality import Quality


class FaceOrigin(StrEnum):
    """How an unknown face came to the service."""

    CAMERA = "camera"
    IDENTIFY = "identify"
    IMPORT = "import"


class GroupState(StrEnum):
    """State of a group: to be reviewed, named as a person, left out of the review, or hidden until it grows."""

    OPEN = "open"
    NAMED = "named"
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
