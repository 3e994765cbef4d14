"""Input and output values of the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from app.database.audit import Noted
from app.database.cipher import Sealed
from app.gallery.store.calibration_state import CalibrationVersion
from app.types import CollectionKey, Detection, Floats, Impostors, Keys, LivenessMode, ReviewMode
from app.vision.quality import Quality

JsonObject = Mapping[str, Any]


class Reaction(StrEnum):
    """Reaction of an enrollment to faces that seem to be of another person: refuse, report or ignore them."""

    REJECT = "reject"
    FLAG = "flag"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """Settings of a collection: embedding, least qualities (0..1), thresholds, reactions and privacy.

    `is_flip_averaged` and `detector` are fixed by the first face. A photo below `enroll_quality` is not enrolled; a
    probe below `probe_quality` is at best a possible match. `max_fmr` and `max_fpir`, or `threshold` instead of both,
    are the defaults of requests; None is the service's default. With `is_crop_kept` the crops of enrolled faces are
    stored encrypted. `on_duplicate` applies to faces that look like another identity, `on_mismatch` to faces that do
    not look like their own. An identity expires `retention_days` after its last enrollment; None keeps it. Unknown
    faces are kept for `remember_unknown_days`; None keeps none. With `is_consent_required`, an enrollment needs a
    recorded consent that has not ended. With `is_adaptive`, the error rates are adapted to the collection's own people.
    They are about these `impostors`; None is the service's setting. `liveness` is the mode of requests that ask for
    none. `review` selects the verdicts that people review. `reviewers` different people have to agree, and a review is
    kept for `review_days`.
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
    remember_unknown_days: int | None = None
    is_consent_required: bool = False
    is_adaptive: bool = True
    impostors: Impostors | None = None
    liveness: LivenessMode = LivenessMode.OFF
    review: ReviewMode = ReviewMode.OFF
    review_days: int = 183
    reviewers: int = 1

    @property
    def embedding_settings(self) -> tuple[bool, str | None]:
        """The settings that all embeddings of a collection share."""
        return self.is_flip_averaged, self.detector


@dataclass(frozen=True, slots=True)
class Collection:
    """An isolated gallery: its templates are vectors of `dimension` by `model`; `revision` counts its writes.

    `uid` distinguishes it from earlier collections with the same key, and changes with its network. If `index_kind` is
    None, the service chooses. `calibration` is the newest version of its adaptive calibration.
    """

    key: CollectionKey
    uid: str
    name: str
    model: str
    dimension: int
    revision: int
    faces: int
    identities: int
    settings: CollectionSettings
    index_kind: str | None = None
    calibration: CalibrationVersion | None = None

    @property
    def version(self) -> str:
        """Opaque version (used as ETag); changes with every write."""
        return f"{self.uid}-{self.revision}"

    @property
    def calibration_version(self) -> int:
        """Number of the newest version of its adaptive calibration; 0 without one."""
        return 0 if self.calibration is None else self.calibration.version


@dataclass(frozen=True, slots=True)
class FilteredFaces:
    """The faces that a search is restricted to: their keys, and the number of their identities."""

    keys: Keys
    identities: int


@dataclass(frozen=True, slots=True)
class Consent:
    """The legal basis of an enrollment ("consent", "contract" ...), its text and a reference."""

    basis: str
    given_at: datetime
    text: str | None = None
    expires_at: datetime | None = None
    reference: str | None = None

    def has_ended(self, now: datetime) -> bool:
        """Return whether the consent has ended."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Terms:
    """Consent and expiry of an identity; None keeps the stored value."""

    consent: Consent | None = None
    expires_at: datetime | None = None


_NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Person:
    """The person to enroll: the caller's id (or a generated one), name and metadata; None keeps the stored value."""

    identity_id: str
    name: str | None = None
    metadata: JsonObject | None = None
    terms: Terms = _NO_TERMS


@dataclass(frozen=True, slots=True)
class NewFace:
    """A template to store: unit vector (d,), raw feature norm, quality, detection, SHA-256 of the photo.

    `sealed_crop` is the encrypted crop, if the collection keeps crops. `liveness` is how the photo's was checked: for
    the audit trail, it is not stored with the face.
    """

    face_id: str
    vector: Floats
    norm: float
    quality: Quality
    detection: Detection
    image_sha256: str
    sealed_crop: Sealed | None = None
    liveness: LivenessMode = LivenessMode.OFF


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The record of an idempotent enrollment: its key, the SHA-256 of its request and the answer to repeat.

    `former_sha256` is the SHA-256 of the same request in earlier versions, if it was another one.
    """

    idempotency_key: str
    request_sha256: str
    answer: JsonObject = field(default_factory=dict)
    former_sha256: str | None = None


class Templates(NamedTuple):
    """Templates: keys (n,), unit vectors (n, d), and the numbers of the people whom they belong to (n,)."""

    keys: Keys
    vectors: Floats
    owners: Keys


@dataclass(frozen=True, slots=True)
class EnrollmentResult:
    """The result of an enrollment: the keys of its faces, or the earlier answer if nothing was written.

    `revision` is the collection's new revision. `is_new`: the identity was created. `faces` are the written faces, in
    the order of `keys`, and `owner` is the number of their person.
    """

    keys: Sequence[int]
    revision: int = 0
    earlier_answer: JsonObject | None = None
    is_new: bool = field(default=False, compare=False)
    is_erased: bool = field(default=False, compare=False)
    """Nothing was written: the person was erased after the job was created."""
    faces: Sequence[NewFace] = field(default=(), compare=False)
    owner: int = field(default=-1, compare=False)


def written_templates(written: Sequence[EnrollmentResult]) -> Templates:
    """Return the templates of enrollments with at least one face."""
    return Templates(
        np.array([key for each in written for key in each.keys], np.int64),
        np.stack([face.vector for each in written for face in each.faces]),
        np.array([each.owner for each in written for _ in each.keys], np.int64),
    )


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """The result of a deletion: the keys of the deleted faces; `revision` is the collection's new revision.

    `is_whole`: the identity was deleted too. `answers` counts the deleted stored answers.
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
    """Name of the deleted person, to be removed from other records too."""
    events: int = 0
    """The deleted events about the person."""


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """The changes of a collection up to `revision`: added and removed faces. Each key occurs once."""

    revision: int
    added: Keys
    removed: Keys


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of an enrolled face, and the face's raw feature norm."""

    identity_id: str
    face_id: str
    norm: float


@dataclass(frozen=True, slots=True)
class EnrolledIdentity:
    """An identity with all its faces, in one order: keys in the index, ids, unit vectors (n, d), qualities (n,).

    A face from a version without qualities has quality 0.5. `model` is the embedding model. `norms` (n,) are the raw
    feature norms, if they are known.
    """

    identity_id: str
    name: str | None
    keys: Keys
    face_ids: tuple[str, ...]
    vectors: Floats
    qualities: Floats
    model: str = ""
    norms: Floats | None = None
