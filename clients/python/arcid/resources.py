"""Collections, identities, faces and the results of their deletion, with the names of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from arcid.answers import Box, Landmarks, Quality
from arcid.events import Event
from arcid.parsing import Value

Item = TypeVar("Item")
ScreeningAction = Literal["reject", "flag", "allow"]
"""Action for faces that seem to be of another person: refuse the enrollment, report it, or skip the check."""

LivenessMode = Literal["off", "observe", "enforce"]
"""Check for prints and screens: none, verdicts only, or refusal of attacks."""

ReviewMode = Literal["off", "possible", "all_matches"]
"""Verdicts that people review."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; `next_cursor` is the cursor of the next page, None on the last one.

    `total` is the number of people on all pages, and None in other lists.
    """

    items: tuple[Item, ...]
    next_cursor: str | None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class SettingsInForce(Value):
    """The values of settings that a collection may leave to the service; no rates if a threshold decides."""

    detector: str
    max_fmr: float | None
    max_fpir: float | None
    impostors: Literal["any", "similar"]
    index: str


@dataclass(frozen=True, slots=True)
class Collection(Value):
    """An isolated gallery. None means the default of the service; without `retention_days`, data is kept forever.

    `etag` is None in lists.
    """

    name: str
    model: str
    dimension: int
    is_usable: bool
    flip: bool
    enroll_quality: float
    probe_quality: float
    detector: str | None
    max_fmr: float | None
    max_fpir: float | None
    threshold: float | None
    on_duplicate: ScreeningAction
    on_mismatch: ScreeningAction
    retention_days: int | None
    require_consent: bool
    adaptive: bool
    index: str | None
    keep_crops: bool
    identities: int
    faces: int
    revision: int
    etag: str | None = None
    impostors: Literal["any", "similar"] | None = None
    liveness: LivenessMode = "off"
    in_force: SettingsInForce | None = None
    remember_unknown_days: int | None = None
    review: ReviewMode = "off"
    review_days: int | None = None
    reviewers: int = 1


@dataclass(frozen=True, slots=True)
class Consent(Value):
    """The legal basis of an enrollment, such as `consent` or `contract`. Times must have a time zone."""

    basis: str
    given_at: datetime
    text: str | None = None
    expires_at: datetime | None = None
    reference: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return this value as a JSON object of requests, without members that are None."""
        members = {
            "basis": self.basis,
            "given_at": self.given_at.isoformat(),
            "text": self.text,
            "expires_at": self.expires_at.isoformat() if self.expires_at is not None else None,
            "reference": self.reference,
        }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Identity(Value):
    """A person with `faces` enrolled faces. From `ends_at` on, searches no longer find them.

    `face_id` is the face to show; if `has_image`, `faces.image` returns it as a JPEG.
    `etag` is None in lists.
    """

    identity_id: str
    name: str | None
    metadata: Mapping[str, Any]
    faces: int
    face_id: str | None
    has_image: bool
    created_at: datetime
    updated_at: datetime
    consent: Consent | None
    expires_at: datetime | None
    ends_at: datetime | None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFace(Value):
    """An enrolled face; its `quality` has only the score. `embedding` is None unless requested.

    If `has_image`, `faces.image` returns it as a JPEG.
    """

    face_id: str
    identity_id: str
    box: Box
    landmarks: Landmarks
    detection_score: float
    quality: Quality | None
    norm: float
    model: str
    image_sha256: str
    created_at: datetime
    has_image: bool
    embedding: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFace(StoredFace):
    """An enrolled face with its embedding and its image, a JPEG in base64; None if it has no image."""

    image: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAnswer(Identity):
    """A person with the first 200 of their faces."""

    first_faces: tuple[StoredFace, ...]


@dataclass(frozen=True, slots=True)
class AuditEntry(Value):
    """Reference to a line of the audit trail."""

    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class IndexErasure(Value):
    """Data removed from the index."""

    kind: str
    faces: int
    snapshot_segments: int


@dataclass(frozen=True, slots=True)
class ErasureRemainder(Value):
    """Erased data that still exists, or may still exist, in another place."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class ErasureReceipt(Value):
    """Receipt of an erasure: erased `faces` (ids), `pending` steps, and data `left` outside the service's control."""

    collection: str
    identity_id: str
    identity_removed: bool
    faces: tuple[str, ...]
    enrollment_answers: int
    index: IndexErasure
    revision: int
    audit: AuditEntry
    erased_at: datetime
    status: Literal["complete", "pending"]
    pending: tuple[ErasureRemainder, ...]
    left: tuple[ErasureRemainder, ...]
    events: int = 0


@dataclass(frozen=True, slots=True)
class PersonExport(Value):
    """All stored data about a person, including embeddings and images."""

    collection: str
    identity: Identity
    faces: tuple[ExportedFace, ...]
    enrollment_answers: tuple[Mapping[str, Any], ...]
    audit: tuple[Mapping[str, Any], ...]
    events: tuple[Event, ...] = ()
    reviews: tuple[Mapping[str, Any], ...] = ()
