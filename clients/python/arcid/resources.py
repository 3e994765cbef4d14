"""What is in a gallery: collections, identities, faces, and what becomes of them. The names are the API's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from arcid.answers import Box, Landmarks
from arcid.reading import Value

Item = TypeVar("Item")
Reaction = Literal["reject", "flag", "allow"]
"""What an enrolment does about faces that seem to be somebody else's: refuse them, say so, or not even look."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; `next_cursor` is the `cursor` of the next one, None on the last."""

    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Collection(Value):
    """An isolated gallery. What is None is as the service's default; `retention_days`: kept for ever.

    `etag` is there where one collection was asked for, None in lists.
    """

    name: str
    model: str
    dimension: int
    is_usable: bool
    flip: bool
    enrol_quality: float
    probe_quality: float
    detector: str | None
    max_fmr: float | None
    max_fpir: float | None
    threshold: float | None
    on_duplicate: Reaction
    on_mismatch: Reaction
    retention_days: int | None
    require_consent: bool
    index: str | None
    keep_crops: bool
    identities: int
    faces: int
    revision: int
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Consent(Value):
    """On what grounds somebody is enrolled: `basis` such as `consent` or `contract`; moments have a time zone."""

    basis: str
    given_at: datetime
    text: str | None = None
    expires_at: datetime | None = None
    reference: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return it as requests say it."""
        said = {
            "basis": self.basis,
            "given_at": self.given_at.isoformat(),
            "text": self.text,
            "expires_at": self.expires_at.isoformat() if self.expires_at is not None else None,
            "reference": self.reference,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Identity(Value):
    """A person with `faces` enrolled faces, found no more from `ends_at` on.

    `etag` is there where one identity was asked for, None in lists.
    """

    identity_id: str
    name: str | None
    metadata: Mapping[str, Any]
    faces: int
    created_at: datetime
    updated_at: datetime
    consent: Consent | None
    expires_at: datetime | None
    ends_at: datetime | None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFace(Value):
    """An enrolled face; `quality` is a score, 0 to 1, `embedding` there only where it was asked for."""

    face_id: str
    identity_id: str
    box: Box
    landmarks: Landmarks
    detection_score: float
    quality: float | None
    norm: float
    model: str
    image_sha256: str
    created_at: datetime
    embedding: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAnswer(Identity):
    """A person with the first 200 of their faces."""

    first_faces: tuple[StoredFace, ...]


@dataclass(frozen=True, slots=True)
class AuditLine(Value):
    """Which line of the audit trail tells of it."""

    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class IndexErasure(Value):
    """What was removed from the index."""

    kind: str
    faces: int
    snapshot_segments: int


@dataclass(frozen=True, slots=True)
class Remainder(Value):
    """Something of what was erased that is, or may be, still there."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class ErasureReceipt(Value):
    """What an erasure has removed (`faces` are ids), what is `pending`, what is `left` beyond the service's reach."""

    collection: str
    identity_id: str
    identity_removed: bool
    faces: tuple[str, ...]
    enrolment_answers: int
    index: IndexErasure
    revision: int
    audit: AuditLine
    erased_at: datetime
    status: Literal["complete", "pending"]
    pending: tuple[Remainder, ...]
    left: tuple[Remainder, ...]


@dataclass(frozen=True, slots=True)
class PersonExport(Value):
    """Everything that is stored about a person, embeddings included."""

    collection: str
    identity: Identity
    faces: tuple[StoredFace, ...]
    enrolment_answers: tuple[Mapping[str, Any], ...]
    audit: tuple[Mapping[str, Any], ...]
