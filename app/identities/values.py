"""The values of the store: what goes in and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.faces import Detection, Floats

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collection:
    """An isolated gallery: its templates are vectors of `dimension` by `model`; `revision` counts its writes."""

    key: int
    name: str
    model: str
    dimension: int
    revision: int


@dataclass(frozen=True, slots=True)
class Person:
    """Who is enrolled: the caller's id (or a generated one); None leaves what is stored as it is."""

    identity_id: str
    name: str | None = None
    metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class NewFace:
    """A template to store: unit vector (d,), raw feature norm, what was detected, SHA-256 of the photo."""

    face_id: str
    vector: Floats
    norm: float
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
    """What an enrolment wrote: the faces' keys in the index, or (nothing written) the answer given before."""

    keys: Sequence[int]
    earlier_answer: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom an enrolled face belongs."""

    identity_id: str
    name: str | None
    face_id: str
