"""Listed identities and faces, and the change of an identity."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.gallery.store.values import Consent, JsonObject
from app.types import Box, FaceKey, Floats, IdentityKey, Page
from app.vision.quality import Quality


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """An identity without its templates; `faces` counts them, `face_id` is the one to show (`has_image`).

    It expires at `ends_at`: at `expires_at` or at the end of the collection's retention, whichever comes first. Then
    searches do not find it, and it is erased.
    """

    key: IdentityKey
    identity_id: str
    name: str | None
    metadata: JsonObject
    faces: int
    face_id: str | None
    has_image: bool
    created_at: datetime
    updated_at: datetime
    consent: Consent | None = None
    ends_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def version(self) -> str:
        """Opaque version (used as ETag); changes with every change."""
        return self.version_of(self.key, self.updated_at)

    @staticmethod
    def version_of(key: int, updated_at: datetime) -> str:
        """Return the version of an identity, from the time of its last change."""
        return f"{key}-{updated_at:%Y%m%dT%H%M%S.%f}"


class IdentityOrder(StrEnum):
    """Order of a list of identities: by creation, by name, most faces first, or best quality first."""

    OLDEST = "oldest"
    NEWEST = "newest"
    NAME = "name"
    FACES = "faces"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class PeoplePage(Page[IdentityRecord]):
    """A page of identities, and the `total` of all pages."""

    total: int


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """A face: box and landmarks (5, 2) in pixels of the upright photo; `embedding` (d,) only if requested."""

    key: FaceKey
    face_id: str
    identity_id: str
    box: Box
    landmarks: list[tuple[float, float]]
    detection_score: float
    quality: Quality | None
    norm: float
    model: str
    image_sha256: str
    created_at: datetime
    has_image: bool
    embedding: Floats | None = None


@dataclass(frozen=True, slots=True)
class PersonChange:
    """A change of an identity; only the fields with a true `has_...` change."""

    name: str | None = None
    metadata: JsonObject | None = None
    has_name: bool = False
    has_metadata: bool = False
    consent: Consent | None = None
    expires_at: datetime | None = None
    has_consent: bool = False
    has_expires_at: bool = False
