"""What is in the gallery as requests change it and answers show it. The names are the API's contract."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.api.answers import BoxSchema
from app.api.paging import cursor_of
from app.api.requests import CollectionName, Id, JsonObject, PersonName
from app.identities.records import FaceRecord, IdentityRecord, Page, PersonChange
from app.identities.values import Collection

Flip = Annotated[bool, Field(strict=True, description="Average embeddings with the mirror image's.")]
Gate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
IndexKind = Literal["auto", "exact", "compressed", "gpu", "milvus"]
_PRACTICE = {"flip": "is_flip_averaged", "enrol_quality": "enrol_quality", "probe_quality": "probe_quality"}
Cursor = Annotated[str | None, Field(description="`cursor` of the next page; null on the last one.")]


class _PracticeSchema(BaseModel):
    model_config = ConfigDict(extra="forbid")

    flip: Flip | None = None
    enrol_quality: Annotated[Gate | None, Field(description="Least quality of an enrolled face.")] = None
    probe_quality: Annotated[Gate | None, Field(description="Least quality of a firmly matched probe.")] = None

    def practice(self) -> dict[str, Any]:
        """Return the fields of `Practice` that were sent."""
        sent = {name: getattr(self, name) for name in _PRACTICE}
        return {_PRACTICE[name]: value for name, value in sent.items() if value is not None}


class CollectionRequest(_PracticeSchema):
    """A new collection, bound to the running network; what is not said is as the service's settings say."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "staff", "enrol_quality": 0.4, "index": "exact"}]}
    )

    name: CollectionName
    index: Annotated[IndexKind | None, Field(description="How it is searched; null: as the service's setting.")] = None


class CollectionChange(_PracticeSchema):
    """What changes of a collection; `flip` only while nobody is enrolled."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"probe_quality": 0.3}]})

    @model_validator(mode="after")
    def _something(self) -> "CollectionChange":
        if not self.practice():
            raise ValueError("send flip, enrol_quality or probe_quality")
        return self


class CollectionSchema(BaseModel):
    """A collection."""

    name: str
    model: Annotated[str, Field(description="The network that made its embeddings.")]
    dimension: int
    is_usable: Annotated[bool, Field(description="The service runs that network; else its use is 409.")]
    flip: bool
    enrol_quality: float
    probe_quality: float
    index: Annotated[str | None, Field(description="Null: as the service's setting.")]
    identities: int
    faces: int
    revision: Annotated[int, Field(description="Counts its writes.")]

    @classmethod
    def of(cls, collection: Collection, running: str) -> "CollectionSchema":
        """Take over a collection, given the network that is running."""
        practice = collection.practice
        return cls(
            name=collection.name,
            model=collection.model,
            dimension=collection.dimension,
            is_usable=collection.model == running,
            flip=practice.is_flip_averaged,
            enrol_quality=practice.enrol_quality,
            probe_quality=practice.probe_quality,
            index=collection.index_kind,
            identities=collection.identities,
            faces=collection.faces,
            revision=collection.revision,
        )


class CollectionsPage(BaseModel):
    """Collections in the order in which they were made."""

    collections: list[CollectionSchema]
    next_cursor: Cursor


class IdentitySchema(BaseModel):
    """A person."""

    identity_id: str
    name: str | None
    metadata: dict[str, Any]
    faces: Annotated[int, Field(description="How many.")]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: IdentityRecord) -> "IdentitySchema":
        """Take over an identity."""
        return cls(
            identity_id=record.identity_id,
            name=record.name,
            metadata=dict(record.metadata),
            faces=record.faces,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )


class IdentitiesPage(BaseModel):
    """People in the order in which they were enrolled."""

    identities: list[IdentitySchema]
    next_cursor: Cursor

    @classmethod
    def of(cls, page: Page[IdentityRecord]) -> "IdentitiesPage":
        """Take over a page."""
        return cls(identities=[IdentitySchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


class IdentityChange(BaseModel):
    """What changes of a person: a name (null removes it), the metadata as a whole (null empties it)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Ada Lovelace", "metadata": {"badge": 7}}]}
    )

    name: PersonName | None = None
    metadata: JsonObject | None = None

    @model_validator(mode="after")
    def _something(self) -> "IdentityChange":
        if not self.model_fields_set:
            raise ValueError("send name or metadata")
        return self

    def change(self) -> PersonChange:
        """Return what was sent."""
        sent = self.model_fields_set
        return PersonChange(self.name, self.metadata, has_name="name" in sent, has_metadata="metadata" in sent)


class MergeRequest(BaseModel):
    """Into whom a person is merged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"into": "ada"}]})

    into: Id


class MoveRequest(BaseModel):
    """To whom a face belongs; who is new is created."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"identity_id": "ada"}]})

    identity_id: Id


class StoredFaceSchema(BaseModel):
    """An enrolled face."""

    face_id: str
    identity_id: str
    box: BoxSchema
    landmarks: list[tuple[float, float]]
    detection_score: float
    quality: Annotated[float | None, Field(description="0 to 1; null if enrolled before there was one.")]
    norm: Annotated[float, Field(description="Length of the network's feature before normalisation.")]
    model: str
    image_sha256: Annotated[str, Field(description="Of the photo that it was enrolled with.")]
    created_at: datetime
    embedding: Annotated[list[float] | None, Field(description="Only with `embedding=true`.")] = None

    @classmethod
    def of(cls, record: FaceRecord) -> "StoredFaceSchema":
        """Take over a face."""
        return cls(
            face_id=record.face_id,
            identity_id=record.identity_id,
            box=record.box,
            landmarks=record.landmarks,
            detection_score=record.detection_score,
            quality=record.quality,
            norm=record.norm,
            model=record.model,
            image_sha256=record.image_sha256,
            created_at=record.created_at,
            embedding=None if record.embedding is None else record.embedding.tolist(),
        )


class FacesPage(BaseModel):
    """Faces in the order in which they were enrolled."""

    faces: list[StoredFaceSchema]
    next_cursor: Cursor

    @classmethod
    def of(cls, page: Page[FaceRecord]) -> "FacesPage":
        """Take over a page."""
        return cls(faces=[StoredFaceSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


class IdentityAnswer(IdentitySchema):
    """A person with the first of their faces; GET .../faces?identity_id=... lists them all."""

    first_faces: list[StoredFaceSchema]

    @classmethod
    def of_person(cls, record: IdentityRecord, faces: Page[FaceRecord]) -> "IdentityAnswer":
        """Take over an identity and the first page of its faces."""
        first = [StoredFaceSchema.of(each) for each in faces.items]
        return cls(**IdentitySchema.of(record).model_dump(), first_faces=first)
