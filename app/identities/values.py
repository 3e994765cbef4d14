"""The values of the store: what goes in and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.faces import Detection, Floats

JsonObject = Mapping[str, Any]
Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Practice:
    """How a collection's faces are made and which are good enough (quality, 0..1).

    `is_flip_averaged` is fixed by the first face. Below `enrol_quality` a photo is not enrolled; below `probe_quality`
    a probe is at best a possible match.
    """

    is_flip_averaged: bool = True
    enrol_quality: float = 0.25
    probe_quality: float = 0.2


@dataclass(frozen=True, slots=True)
class Collection:
    """An isolated gallery: its templates are vectors of `dimension` by `model`; `revision` counts its writes.

    `uid` tells it from every other collection that ever had its key; `index_kind` None is the service's choice.
    """

    key: int
    uid: str
    name: str
    model: str
    dimension: int
    revision: int
    faces: int
    identities: int
    practice: Practice
    index_kind: str | None = None

    @property
    def version(self) -> str:
        """What is another one after every write."""
        return f"{self.uid}-{self.revision}"


@dataclass(frozen=True, slots=True)
class Restricted:
    """The part of a collection that a search is restricted to: its faces' keys in the index, and whose they are."""

    keys: Keys
    identities: int


@dataclass(frozen=True, slots=True)
class Person:
    """Who is enrolled: the caller's id (or a generated one); None leaves what is stored as it is."""

    identity_id: str
    name: str | None = None
    metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class NewFace:
    """A template to store: unit vector (d,), raw feature norm, quality, what was detected, SHA-256 of the photo."""

    face_id: str
    vector: Floats
    norm: float
    quality: float
    detection: Detection
    image_sha256: str


@dataclass(frozen=True, slots=True)
class Retry:
    """What makes a repeated enrolment recognisable: its key, its request's SHA-256 and the answer to repeat."""

    idempotency_key: str
    request_sha256: str
    answer: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What an enrolment wrote: the faces' keys in the index, or (nothing written) the answer given before.

    `revision` is the collection's from this write on.
    """

    keys: Sequence[int]
    revision: int = 0
    earlier_answer: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion took out: the faces' keys in the index; `revision` is the collection's from then on."""

    keys: Sequence[int]
    revision: int


@dataclass(frozen=True, slots=True)
class Tail:
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
class Enrolled:
    """An identity with all its faces, in one order: keys in the index, ids, unit vectors (n, d), qualities (n,).

    A face that was enrolled before there was a quality has the quality 0.5.
    """

    identity_id: str
    name: str | None
    keys: Keys
    face_ids: tuple[str, ...]
    vectors: Floats
    qualities: Floats
