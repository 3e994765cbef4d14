"""Findings of a health check, each with its figures and a suggested fix."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.recognition.decisions.stated_rates import StatedRate


@dataclass(frozen=True, slots=True)
class SuggestedFix:
    """A call of the API; empty `photos` in a body are for the caller to fill."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class IdentityRef:
    """An identity and its number of faces; `face_id` is the best one, to show next to the finding."""

    identity_id: str
    name: str | None
    faces: int
    face_id: str | None = None


@dataclass(frozen=True, slots=True)
class SimilarPair:
    """Two identities that look like one person; to be merged, `first` into `second`, who has no fewer faces.

    `similarity` is that of their templates, `fpir` the chance that somebody enrolled finds anyone else in this gallery
    that similar.
    """

    first: IdentityRef
    second: IdentityRef
    similarity: float
    fpir: StatedRate
    mend: SuggestedFix


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Identity that a wrong-person face resembles: similarity to its template; `fpir` as in identification."""

    person: IdentityRef
    similarity: float
    fpir: StatedRate


@dataclass(frozen=True, slots=True)
class WrongPersonFace:
    """A face that does not look like the `others` of its identity: `similarity` to their template, `fmr` of that.

    `is_undecided`: no majority of the identity's faces look like one person, and this face is like nobody else either;
    it, or the others, are foreign.
    """

    face_id: str
    identity: IdentityRef
    quality: float
    similarity: float
    fmr: StatedRate
    others: int
    is_undecided: bool
    looks_like: Lookalike | None
    mend: SuggestedFix


@dataclass(frozen=True, slots=True)
class LowQualityFace:
    """A face below the collection's least quality; it helps nobody, and looks like many."""

    face_id: str
    identity: IdentityRef
    quality: float
    least: float
    mend: SuggestedFix


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings in a page of identities; `after` is the cursor of the next page, None on the last one."""

    identities: int
    faces: int
    pairs: list[SimilarPair] = field(default_factory=list)
    foreign: list[WrongPersonFace] = field(default_factory=list)
    poor: list[LowQualityFace] = field(default_factory=list)
    after: int | None = None
