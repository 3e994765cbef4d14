"""The values of the store: what goes in and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.database.audit import Noted
from app.database.cipher import Sealed
from app.types import Detection, Floats, Keys

JsonObject = Mapping[str, Any]


class Reaction(StrEnum):
    """Reaction of an enrollment to faces that resemble another identity: refuse, report, or do not check."""

    REJECT = "reject"
    FLAG = "flag"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """How a collection's faces are made, which are good enough (quality, 0..1), and what decides.

    `is_flip_averaged` and `detector` are fixed by the first face. Below `enroll_quality` a photo is not enrolled; below
    `probe_quality` a probe is at best a possible match. `max_fmr` and `max_fpir`, or `threshold` instead of both, apply
    if a request sets none of them. None is the service's default. With `is_crop_kept` the crops of enrolled faces are
    stored, sealed. `on_duplicate` is for faces that look like another identity, `on_mismatch` for those that do not
    look like their own. People whose last enrollment is older than `retention_days` are no longer found, and are
    erased; None keeps them for ever. With `is_consent_required`, enrollment needs recorded, unexpired consent.
    """

    is_flip_averaged: bool = True
    enroll_quality: float = 0.25
    probe_quality: float = 0.2
    detector: str | None = None
    max_fmr: float | None = None
    max_fpir: float | None = None
    threshold: float | None = None
    is_crop_kept: bool = False
    on_duplicate: Reaction = Reaction.FLAG
    on_mismatch: Reaction = Reaction.FLAG
    retention_days: int | None = None
    is_consent_required: bool = False

    @property
    def embedding_settings(self) -> tuple[bool, str | None]:
        """Common properties of all embeddings of a collection."""
        return self.is_flip_averaged, self.detector


@dataclass(frozen=True, slots=True)
class Collection:
    """An isolated gallery: its templates are vectors of `dimension` by `model`; `revision` counts its writes.

    `uid` distinguishes it from all other collections with its key, and from itself with another network;
    `index_kind` None is the service's choice.
    """

    key: int
    uid: str
    name: str
    model: str
    dimension: int
    revision: int
    faces: int
    identities: int
    settings: CollectionSettings
    index_kind: str | None = None

    @property
    def version(self) -> str:
        """Opaque version (used as ETag); changes with every write."""
        return f"{self.uid}-{self.revision}"


@dataclass(frozen=True, slots=True)
class FilteredFaces:
    """The part of a collection that a search is restricted to: its faces' keys in the index, and whose they are."""

    keys: Keys
    identities: int


@dataclass(frozen=True, slots=True)
class Consent:
    """On what grounds somebody is enrolled (`basis`: "consent", "contract" ...), their words, and a reference."""

    basis: str
    given_at: datetime
    text: str | None = None
    expires_at: datetime | None = None
    reference: str | None = None

    def has_ended(self, now: datetime) -> bool:
        """Say whether it does not hold any more."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Terms:
    """On what grounds somebody is enrolled, and until when; None leaves what is stored as it is."""

    consent: Consent | None = None
    expires_at: datetime | None = None


_NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Person:
    """Person to enroll: the caller's id (or a generated one); None keeps the stored value."""

    identity_id: str
    name: str | None = None
    metadata: JsonObject | None = None
    terms: Terms = _NO_TERMS


@dataclass(frozen=True, slots=True)
class NewFace:
    """A template to store: unit vector (d,), raw feature norm, quality, what was detected, SHA-256 of the photo.

    `sealed_crop` is what it was embedded from, where that is kept.
    """

    face_id: str
    vector: Floats
    norm: float
    quality: float
    detection: Detection
    image_sha256: str
    sealed_crop: Sealed | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """Idempotency record of an enrollment: its key, its request's SHA-256 and the answer to repeat."""

    idempotency_key: str
    request_sha256: str
    answer: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnrollmentResult:
    """Result of an enrollment: the faces' keys in the index, or (nothing written) the earlier answer.

    `revision` is the collection's from this write on. `is_new`: the person was not there before. `faces` are those that
    were written, in the order of `keys`.
    """

    keys: Sequence[int]
    revision: int = 0
    earlier_answer: JsonObject | None = None
    is_new: bool = field(default=False, compare=False)
    is_erased: bool = field(default=False, compare=False)
    """Nothing was written: the person was erased after the job was asked for that does it."""
    faces: Sequence[NewFace] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """Result of a deletion: the faces' keys in the index; `revision` is the collection's new one.

    `is_whole`: the identity is gone as well. `answers` counts the stored answers that went with it.
    """

    keys: Sequence[int]
    revision: int
    identity_id: str
    face_ids: Sequence[str]
    is_whole: bool
    answers: int
    noted: Noted
    at: datetime
    name: str | None = field(default=None, repr=False)
    """Of the person who is gone, for what else is to be cleared of it."""


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """The end of a change log: what became, up to `revision`, of the faces that changed. Each key occurs once."""

    revision: int
    added: Keys
    removed: Keys


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom an enrolled face belongs, and its raw feature norm."""

    identity_id: str
    face_id: str
    norm: float


@dataclass(frozen=True, slots=True)
class EnrolledIdentity:
    """An identity with all its faces, in one order: keys in the index, ids, unit vectors (n, d), qualities (n,).

    A face that was enrolled before there was a quality has the quality 0.5. `model` made the vectors.
    """

    identity_id: str
    name: str | None
    keys: Keys
    face_ids: tuple[str, ...]
    vectors: Floats
    qualities: Floats
    model: str = ""
