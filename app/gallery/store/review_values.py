"""Reviews: matches that people decide. Values that the store takes and returns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ReviewState(StrEnum):
    """State of a review. `expired`: nobody decided it in time."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ReviewOrigin(StrEnum):
    """The use that led to the match."""

    IDENTIFY = "identify"
    VERIFY = "verify"
    CAMERA = "camera"


class ReviewDecision(StrEnum):
    """Decision of one person: the probe shows a candidate, or none of them."""

    CONFIRM = "confirm"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class NewCandidate:
    """An identity that the probe may show: similarity (cosine, -1..1) and stated error rates (0..1), if known."""

    identity_id: str
    similarity: float
    face_id: str | None = None
    fmr: float | None = None
    fpir: float | None = None


@dataclass(frozen=True, slots=True)
class NewReview:
    """A match to review.

    Attributes:
        origin: The use that led to it.
        same_as: Hash of what makes a later match the same one.
        candidates: At least one, the best first.
        started_at: Start of the use.
        ended_at: Its end.
        quality: Quality of the probe, 0..1.
        verdict: The service's verdict: `possible` or `match`.
        threshold: Similarity that decided.
        input_sha256: SHA-256 of the photo.
        camera: Id of the camera, if the origin is one.
        image: JPEG of the probe's face, if it may be kept.
    """

    origin: ReviewOrigin
    same_as: str
    candidates: Sequence[NewCandidate]
    started_at: datetime
    ended_at: datetime
    quality: float
    verdict: str
    threshold: float | None = None
    input_sha256: str | None = None
    camera: str | None = None
    image: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewDecision:
    """One person's decision; `identity_id` is the confirmed candidate, None the first one."""

    decision: ReviewDecision
    identity_id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewCandidate:
    """A candidate as it is enrolled now; `face_id` is its face to show."""

    identity_id: str
    name: str | None
    face_id: str | None
    has_image: bool
    similarity: float
    fmr: float | None
    fpir: float | None


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A stored decision. `actor` and `key_id` are the name and id of the key or session."""

    decision: ReviewDecision
    identity_id: str | None
    actor: str
    key_id: str | None
    note: str | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """A stored review. `model`, `uid` and `revision` are those of the collection when it was searched."""

    key: int
    review_id: str
    state: ReviewState
    changes: int
    origin: ReviewOrigin
    camera: str | None
    verdict: str
    started_at: datetime
    ended_at: datetime
    times: int
    actor: str
    key_id: str | None
    model: str
    uid: str
    revision: int
    threshold: float | None
    quality: float
    input_sha256: str | None
    opened_at: datetime
    closed_at: datetime | None
    has_image: bool
    candidates: Sequence[ReviewCandidate] = ()
    decisions: Sequence[DecisionRecord] = ()

    @property
    def confirmed(self) -> str | None:
        """The id of the confirmed person, None unless the review is confirmed."""
        if self.state is not ReviewState.CONFIRMED:
            return None
        return next(each.identity_id for each in reversed(self.decisions) if each.identity_id is not None)

    @property
    def version(self) -> str:
        """Opaque version (used as ETag); changes with every decision."""
        return f"{self.review_id}-{self.changes}"
