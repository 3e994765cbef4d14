"""Requests and answers of model migration. Their names are the API's contract."""

from collections.abc import Container, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import NetworkName
from app.api.schemas.paging import cursor_of
from app.api.schemas.resources import Cursor
from app.gallery.store.migration_sql import FaceName
from app.gallery.store.model_migration import SwitchResult
from app.recognition.migration import MigrationOverview

_MOST_NAMED = 1000


class OnMissing(StrEnum):
    """Treatment of faces without crop and template: refuse the switch, or delete (drop) them in it."""

    REFUSE = "refuse"
    DROP = "drop"


_Missing = Annotated[
    OnMissing,
    Field(description="Faces without crop and template: refuse the switch, or drop (delete) them."),
]


class RollbackRequest(BaseModel):
    """A switch to the previous network."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"on_missing": "refuse"}]})

    on_missing: _Missing = OnMissing.REFUSE


class SwitchRequest(RollbackRequest):
    """A switch to another network."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"model": "arcface-mobilefacenet"}]})

    model: Annotated[NetworkName, Field(description="A model, or a pack with an embedder.")]


class ReembedRequest(SwitchRequest):
    """A migration to another network."""

    switch: Annotated[bool, Field(strict=True, description="Switch as soon as all faces have a template.")] = True


class FaceNameSchema(BaseModel):
    """A face and its identity."""

    face_id: str
    identity_id: str


def _names(faces: Sequence[FaceName]) -> list[FaceNameSchema]:
    return [FaceNameSchema.model_validate(each, from_attributes=True) for each in faces]


class NetworkSchema(BaseModel):
    """A network and the templates that it computed."""

    model: str
    templates: Annotated[int, Field(description="Number of faces with a template.")]
    is_own: Annotated[bool, Field(description="It is the collection's current network.")]
    is_served: bool


class OverviewSchema(BaseModel):
    """The networks that a collection has templates of."""

    model: str
    faces: int
    before: Annotated[str | None, Field(description="The previous network, for a rollback; null without one.")]
    networks: list[NetworkSchema]
    crops_missing: Annotated[int, Field(description="Number of faces without a crop (and a template of `model`).")]
    without_crop: Annotated[list[FaceNameSchema], Field(description="A page of these faces; they need a new photo.")]
    next_cursor: Cursor

    @classmethod
    def of(cls, seen: MigrationOverview, served: Container[str]) -> "OverviewSchema":
        """Return the answer."""
        own = seen.collection
        counts = {own.model: own.faces, **seen.ready}
        return cls(
            model=own.model,
            faces=own.faces,
            before=seen.before if seen.before in seen.ready else None,
            networks=[
                NetworkSchema(model=model, templates=count, is_own=model == own.model, is_served=model in served)
                for model, count in counts.items()
            ],
            crops_missing=seen.crops_missing,
            without_crop=_names(seen.without_crop.items),
            next_cursor=cursor_of(seen.without_crop.after),
        )


class SwitchedSchema(BaseModel):
    """The collection after the switch."""

    model: str
    dimension: int
    faces: int
    dropped: Annotated[int, Field(description="Number of deleted faces, which had neither crop nor template.")]
    dropped_faces: Annotated[list[FaceNameSchema], Field(description="The first thousand of these faces.")]

    @classmethod
    def of(cls, done: SwitchResult) -> "SwitchedSchema":
        """Return the answer."""
        return cls(
            model=done.collection.model,
            dimension=done.collection.dimension,
            faces=done.collection.faces,
            dropped=len(done.dropped),
            dropped_faces=_names(done.dropped[:_MOST_NAMED]),
        )


class DiscardedSchema(BaseModel):
    """Result of a discard."""

    discarded: Annotated[int, Field(description="Number of deleted templates.")]
