"""Findings of a gallery health check, with the names of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from arcid.answers import Quality, RateRange
from arcid.parsing import Value


@dataclass(frozen=True, slots=True)
class SuggestedFix(Value):
    """The API call that fixes a finding. If its body has empty `photos`, the caller must add them."""

    method: Literal["POST", "DELETE"]
    path: str
    body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PersonSummary(Value):
    """An identity with the number of its `faces`; `face_id` is the one to show."""

    identity_id: str
    name: str | None
    faces: int
    face_id: str | None


@dataclass(frozen=True, slots=True)
class DuplicatePair(Value):
    """Two identities that seem to be one person. `second` has at least as many faces: merge `first` into it."""

    first: PersonSummary
    second: PersonSummary
    similarity: float
    fpir: float | None
    mend: SuggestedFix
    fpir_range: RateRange | None = None


@dataclass(frozen=True, slots=True)
class Lookalike(Value):
    """The identity that a wrong-person face resembles."""

    person: PersonSummary
    similarity: float
    fpir: float | None
    fpir_range: RateRange | None = None


@dataclass(frozen=True, slots=True)
class WrongPersonFace(Value):
    """A face that does not resemble the `others` of its identity. If `is_undecided`, the others may be wrong."""

    face_id: str
    identity: PersonSummary
    quality: Quality
    similarity: float
    fmr: float | None
    others: int
    is_undecided: bool
    looks_like: Lookalike | None
    mend: SuggestedFix
    fmr_range: RateRange | None = None


@dataclass(frozen=True, slots=True)
class LowQualityFace(Value):
    """A face whose `quality` is below the collection's minimum, `least`."""

    face_id: str
    identity: PersonSummary
    quality: Quality
    least: float
    mend: SuggestedFix


@dataclass(frozen=True, slots=True)
class HealthAnswer(Value):
    """Findings for one page, with the number of `identities` and `faces` checked."""

    identities: int
    faces: int
    duplicates: tuple[DuplicatePair, ...]
    foreign_faces: tuple[WrongPersonFace, ...]
    poor_faces: tuple[LowQualityFace, ...]
    next_cursor: str | None
