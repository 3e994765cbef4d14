"""What a health check finds, each with its figures and the call that would mend it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Mend:
    """A call of the API; empty `photos` in a body are for the caller to fill."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Someone:
    """An identity, and how many faces it has."""

    identity_id: str
    name: str | None
    faces: int


@dataclass(frozen=True, slots=True)
class LikePair:
    """Two identities that look like one person; to be merged, `first` into `second`, who has no fewer faces.

    `similarity` is that of their templates, `fpir` the chance that somebody enrolled finds anyone else in this gallery
    that similar; `fpir` None where the network is not calibrated.
    """

    first: Someone
    second: Someone
    similarity: float
    fpir: float | None
    mend: Mend


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Whom a foreign face looks like: similarity to their template; `fpir` as in identification."""

    person: Someone
    similarity: float
    fpir: float | None


@dataclass(frozen=True, slots=True)
class ForeignFace:
    """A face that does not look like the `others` of its identity: `similarity` to their template, `fmr` of that.

    `is_undecided`: no majority of the identity's faces look like one person, and this face is like nobody else either;
    it, or the others, are foreign.
    """

    face_id: str
    identity: Someone
    quality: float
    similarity: float
    fmr: float | None
    others: int
    is_undecided: bool
    looks_like: Lookalike | None
    mend: Mend


@dataclass(frozen=True, slots=True)
class PoorFace:
    """A face below the collection's least quality; it helps nobody, and looks like many."""

    face_id: str
    identity: Someone
    quality: float
    least: float
    mend: Mend


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a page of identities; `after` is the cursor of the next page, None on the last one."""

    identities: int
    faces: int
    pairs: list[LikePair] = field(default_factory=list)
    foreign: list[ForeignFace] = field(default_factory=list)
    poor: list[PoorFace] = field(default_factory=list)
    after: int | None = None
