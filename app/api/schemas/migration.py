"""The way from one network to another as requests and answers say it. The names are the API's contract."""

from collections.abc import Container
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
    """What becomes of faces without a crop: the collection stays as it is, or they are deleted in the switch."""

    REFUSE = "refuse"
    DROP = "drop"


_Missing = Annotated[
    OnMissing,
    Field(description="Faces without crop and template: they keep the collection as it is, or are deleted."),
]


class RollbackRequest(BaseModel):
    """The way back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"on_missing": "refuse"}]})

    on_missing: _Missing = OnMissing.REFUSE


class SwitchRequest(RollbackRequest):
    """The network to go over to."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"model": "arcface-mobilefacenet"}]})

    model: Annotated[NetworkName, Field(description="A model, or a pack that embeds.")]


class ReembedRequest(SwitchRequest):
    """The network to embed by."""

    switch: Annotated[bool, Field(strict=True, description="Go over as soon as all faces have a template.")] = True


class FaceNameSchema(BaseModel):
    """A face and whose it is."""

    face_id: str
    identity_id: str

    @classmethod
    def of(cls, face: FaceName) -> "FaceNameSchema":
        """Take over a face."""
        return cls(face_id=face.face_id, identity_id=face.identity_id)


class NetworkSchema(BaseModel):
    """A network that faces of the collection have templates of."""

    model: str
    templates: Annotated[int, Field(description="Faces that have one.")]
    is_own: Annotated[bool, Field(description="It is the collection's network.")]
    is_served: bool


class OverviewSchema(BaseModel):
    """Of which networks a collection has templates."""

    model: str
    faces: int
    before: Annotated[
        str | None, Field(description="The network that a rollback leads to; null if it was always this.")
    ]
    networks: list[NetworkSchema]
    crops_missing: Annotated[int, Field(description="Faces without a crop (nor a template of the `model` asked for).")]
    without_crop: Annotated[list[FaceNameSchema], Field(description="They need a new photo; a page of them.")]
    next_cursor: Cursor

    @classmethod
    def of(cls, seen: MigrationOverview, served: Container[str]) -> "OverviewSchema":
        """Take over how a collection stands."""
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
            without_crop=[FaceNameSchema.of(each) for each in seen.without_crop.items],
            next_cursor=cursor_of(seen.without_crop.after),
        )


class SwitchedSchema(BaseModel):
    """The collection after it went over."""

    model: str
    dimension: int
    faces: int
    dropped: Annotated[int, Field(description="Faces that were deleted, having neither crop nor template.")]
    dropped_faces: Annotated[list[FaceNameSchema], Field(description="The first thousand of them.")]

    @classmethod
    def of(cls, done: SwitchResult) -> "SwitchedSchema":
        """Take over what was done."""
        return cls(
            model=done.collection.model,
            dimension=done.collection.dimension,
            faces=done.collection.faces,
            dropped=len(done.dropped),
            dropped_faces=[FaceNameSchema.of(each) for each in done.dropped[:_MOST_NAMED]],
        )


class DiscardedSchema(BaseModel):
    """What was deleted."""

    discarded: Annotated[int, Field(description="Templates of other networks.")]
