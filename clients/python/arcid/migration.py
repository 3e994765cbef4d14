"""Model migration, with the names of the API."""

from dataclasses import dataclass
from typing import Literal

from arcid.parsing import Value

OnMissing = Literal["refuse", "drop"]
"""Action for faces without a crop and a template: `refuse` the migration, or `drop` them."""


@dataclass(frozen=True, slots=True)
class FaceReference(Value):
    """A face and its identity."""

    face_id: str
    identity_id: str


@dataclass(frozen=True, slots=True)
class NetworkTemplates(Value):
    """A network and the number of faces with `templates` of it. `is_own`: it is the network of the collection."""

    model: str
    templates: int
    is_own: bool
    is_served: bool


@dataclass(frozen=True, slots=True)
class MigrationOverview(Value):
    """The networks that a collection has templates of; a rollback leads to `before`.

    `crops_missing` counts the faces without a crop and without a template of the requested model; `without_crop` is one
    page of them.
    """

    model: str
    faces: int
    before: str | None
    networks: tuple[NetworkTemplates, ...]
    crops_missing: int
    without_crop: tuple[FaceReference, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class MigrationResult(Value):
    """A collection after its migration; `dropped_faces` contains the first thousand deleted faces."""

    model: str
    dimension: int
    faces: int
    dropped: int
    dropped_faces: tuple[FaceReference, ...]


@dataclass(frozen=True, slots=True)
class DiscardResult(Value):
    """The number of deleted templates of other networks."""

    discarded: int
