"""What is wrong with a gallery, page by page. The names are the API's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from arcid.reading import Value


@dataclass(frozen=True, slots=True)
class Mend(Value):
    """The call that would mend it. Empty `photos` in the body are yours to fill."""

    method: Literal["POST", "DELETE"]
    path: str
    body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Someone(Value):
    """A person with so many `faces`."""

    identity_id: str
    name: str | None
    faces: int


@dataclass(frozen=True, slots=True)
class LikePair(Value):
    """Two identities that look like one person: `first` could be merged into `second`, who has no fewer faces."""

    first: Someone
    second: Someone
    similarity: float
    fpir: float | None
    mend: Mend


@dataclass(frozen=True, slots=True)
class Lookalike(Value):
    """Whom a foreign face looks like."""

    person: Someone
    similarity: float
    fpir: float | None


@dataclass(frozen=True, slots=True)
class ForeignFace(Value):
    """A face that does not look like the `others` of its identity; `is_undecided`: or they are the foreign ones."""

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
class PoorFace(Value):
    """A face whose `quality` is below the collection's `least`."""

    face_id: str
    identity: Someone
    quality: float
    least: float
    mend: Mend


@dataclass(frozen=True, slots=True)
class HealthAnswer(Value):
    """What is wrong with the `identities` of one page, who have so many `faces`."""

    identities: int
    faces: int
    duplicates: tuple[LikePair, ...]
    foreign_faces: tuple[ForeignFace, ...]
    poor_faces: tuple[PoorFace, ...]
    next_cursor: str | None
