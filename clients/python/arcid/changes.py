"""From one network to another. The names are the API's."""

from dataclasses import dataclass
from typing import Literal

from arcid.reading import Value

OnMissing = Literal["refuse", "drop"]
"""Faces without crop and template: they keep the collection as it is, or are deleted."""


@dataclass(frozen=True, slots=True)
class FaceName(Value):
    """A face and whose it is."""

    face_id: str
    identity_id: str


@dataclass(frozen=True, slots=True)
class Network(Value):
    """A network of which so many faces have `templates`; `is_own`: it is the collection's."""

    model: str
    templates: int
    is_own: bool
    is_served: bool


@dataclass(frozen=True, slots=True)
class Overview(Value):
    """Of which networks a collection has templates, `before` being where a rollback leads.

    `crops_missing` faces have no crop (nor a template of the `model` asked for); `without_crop` is a page of them.
    """

    model: str
    faces: int
    before: str | None
    networks: tuple[Network, ...]
    crops_missing: int
    without_crop: tuple[FaceName, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Switched(Value):
    """A collection after it went over to a network; `dropped_faces` are the first thousand that were deleted."""

    model: str
    dimension: int
    faces: int
    dropped: int
    dropped_faces: tuple[FaceName, ...]


@dataclass(frozen=True, slots=True)
class Discarded(Value):
    """How many templates of other networks were deleted."""

    discarded: int
