"""Schemas of unknown faces and their groups. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import ConsentSchema, JsonObject, Moment, OnDuplicate, OnMismatch, StrictSchema
from app.api.schemas.paging import cursor_of
from app.api.schemas.quality import QualitySchema
from app.api.schemas.resources import Cursor
from app.gallery.store.unknown.values import FaceOrigin, GroupsPage, GroupState, UnknownFaceRecord, UnknownGroup
from app.gallery.store.values import Person, Terms
from app.names import FaceId, IdentityId, PersonName
from app.types import Page

MOST_SPLIT = 1000
MOST_MERGED = 100
_FACE_ID = "93083e81-4b7f-4c7a-9f0e-0a4c1d6e2b11"
_GROUP_ID = "0c2f6d8b-7f0a-4a55-9d8e-0a4c1d6e2b11"


class GroupSchema(BaseModel):
    """A group of unknown faces that seem to be of one person."""

    group_id: Annotated[str, Field(description="It stays while the group grows.")]
    state: GroupState
    faces: Annotated[int, Field(description="Number of faces.")]
    face_id: Annotated[str | None, Field(description="The face to show: the one of the best quality.")]
    has_image: Annotated[bool, Field(description="That face has an image: GET .../unknown-faces/{face_id}/image.")]
    first_seen: datetime
    last_seen: datetime
    version: Annotated[str, Field(description="The group's `ETag`, for `If-Match`.")]

    @classmethod
    def of(cls, group: UnknownGroup) -> "GroupSchema":
        """Return the schema of a group."""
        return cls.model_validate(group, from_attributes=True)


class UnknownFaceSchema(BaseModel):
    """An unknown face."""

    face_id: str
    group_id: Annotated[str | None, Field(description="Null: it is in no group.")]
    quality: QualitySchema
    box: Annotated[tuple[float, float, float, float], Field(description="Left, top, right, bottom in the photo.")]
    origin: FaceOrigin
    camera: Annotated[str | None, Field(description="The camera that saw it.")]
    seen_at: datetime
    has_image: bool

    @classmethod
    def of(cls, face: UnknownFaceRecord) -> "UnknownFaceSchema":
        """Return the schema of a face."""
        return cls(
            face_id=face.face_id,
            group_id=face.group_id,
            quality=QualitySchema.of(face.quality, has_components=True),
            box=face.box,
            origin=face.origin,
            camera=face.source,
            seen_at=face.seen_at,
            has_image=face.has_image,
        )


class UnknownFacesPage(BaseModel):
    """Unknown faces, in the order in which they were kept."""

    unknown_faces: list[UnknownFaceSchema]
    next_cursor: Cursor

    @classmethod
    def of(cls, page: Page[UnknownFaceRecord]) -> "UnknownFacesPage":
        """Return the schema of a page."""
        return cls(unknown_faces=[UnknownFaceSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


class GroupsAnswer(BaseModel):
    """Groups, the largest first."""

    groups: list[GroupSchema]
    next_cursor: Cursor
    total: Annotated[int, Field(description="Number of groups on all pages.")]
    unknown_faces: Annotated[int, Field(description="Number of unknown faces of the collection.")]
    ungrouped: Annotated[int, Field(description="Number of unknown faces that are in no group.")]

    @classmethod
    def of(cls, page: GroupsPage) -> "GroupsAnswer":
        """Return the schema of a page."""
        return cls(
            groups=[GroupSchema.of(each) for each in page.items],
            next_cursor=cursor_of(page.after),
            total=page.total,
            unknown_faces=page.faces,
            ungrouped=page.ungrouped,
        )


class GroupPurge(BaseModel):
    """Receipt of a deleted group."""

    group_id: str
    faces: Annotated[int, Field(description="Number of deleted faces.")]


def _example(**members: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [members]})


class GroupChange(StrictSchema):
    """The new state of a group."""

    model_config = _example(state="ignored")

    state: Annotated[
        GroupState,
        Field(
            description="`open`: to be reviewed; `ignored`: left out of the review; `hidden`: left out until it has "
            "another face."
        ),
    ]


class GroupFacesRequest(StrictSchema):
    """Unknown faces of one person."""

    model_config = _example(face_ids=[_FACE_ID])

    face_ids: Annotated[list[FaceId], Field(min_length=1, max_length=MOST_SPLIT)]


class GroupMergeRequest(StrictSchema):
    """Groups of the same person."""

    model_config = _example(groups=[_GROUP_ID])

    groups: Annotated[
        list[FaceId], Field(min_length=1, max_length=MOST_MERGED, description="Ids of the groups that end.")
    ]


class GroupAddRequest(StrictSchema):
    """An enrolled person."""

    model_config = _example(identity_id="ada")

    identity_id: IdentityId
    on_duplicate: OnDuplicate = None
    on_mismatch: OnMismatch = None


class GroupNameRequest(StrictSchema):
    """A new person."""

    model_config = _example(identity_id="ada", name="Ada Lovelace")

    identity_id: Annotated[
        IdentityId | None, Field(description="The caller's id of the person; generated if missing.")
    ] = None
    name: PersonName | None = None
    metadata: Annotated[JsonObject | None, Field(description="A JSON object, stored unchanged.")] = None
    consent: ConsentSchema | None = None
    expires_at: Annotated[Moment | None, Field(description="When the person is erased.")] = None
    on_duplicate: OnDuplicate = None
    on_mismatch: OnMismatch = None

    def person(self) -> Person:
        """Return the person; without an id, it is empty."""
        terms = Terms(None if self.consent is None else self.consent.value(), self.expires_at)
        return Person(self.identity_id or "", self.name, self.metadata, terms)
