"""What is in the gallery as requests change it and answers show it. The names are the API's contract."""

from collections.abc import Container
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.api.schemas.answers import BoxSchema, PointSchema
from app.api.schemas.paging import cursor_of
from app.api.schemas.requests import (
    WHOLE,
    ConsentSchema,
    JsonObject,
    Moment,
    NetworkName,
    OnDuplicate,
    OnMismatch,
)
from app.gallery.store.records import FaceRecord, IdentityRecord, PersonChange
from app.gallery.store.values import Collection, Reaction
from app.names import CollectionName, IdentityId, PersonName, with_current_names
from app.types import IndexKind, Page

Flip = Annotated[bool, Field(strict=True, description="Average embeddings with the mirror image's.")]
Gate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)]
Detector = Annotated[str, StringConstraints(max_length=128, pattern=r"^[a-z0-9][a-z0-9_.-]*(\+[a-z0-9][a-z0-9_.-]*)?$")]
_SETTINGS = {
    "flip": "is_flip_averaged",
    "enroll_quality": "enroll_quality",
    "probe_quality": "probe_quality",
    "keep_crops": "is_crop_kept",
    "on_duplicate": "on_duplicate",
    "on_mismatch": "on_mismatch",
    "require_consent": "is_consent_required",
}
# Null: as the service's default; of the last, for ever.
_OR_DEFAULT = ("detector", "max_fmr", "max_fpir", "threshold", "retention_days")
Cursor = Annotated[str | None, Field(description="`cursor` of the next page; null on the last one.")]


class _PracticeSchema(BaseModel):
    model_config = ConfigDict(extra="forbid")
    _with_current_names = model_validator(mode="before")(with_current_names)

    flip: Flip | None = None
    enroll_quality: Annotated[Gate | None, Field(description="Least quality of an enrolled face.")] = None
    probe_quality: Annotated[Gate | None, Field(description="Least quality of a firmly matched probe.")] = None
    detector: Annotated[
        Detector | None, Field(description="A pack, or finder+landmarker; null: as the service's setting.")
    ] = None
    max_fmr: Annotated[Rate | None, Field(description="Where /verify says nothing; null: 1e-4.")] = None
    max_fpir: Annotated[Rate | None, Field(description="Where /identify and /search say nothing; null: 0.01.")] = None
    threshold: Annotated[
        float | None, Field(ge=-1, le=1, allow_inf_nan=False, description="Decides instead of both rates.")
    ] = None
    keep_crops: Annotated[
        bool | None, Field(strict=True, description="Store the aligned crops of enrolled faces, encrypted.")
    ] = None
    on_duplicate: OnDuplicate = None
    on_mismatch: OnMismatch = None
    retention_days: Annotated[
        int | None,
        Field(ge=1, le=36_500, description="People are erased so long after their last photo; null: never."),
        WHOLE,
    ] = None
    require_consent: Annotated[
        bool | None, Field(strict=True, description="Enroll nobody whose consent is not noted.")
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return the fields of `CollectionSettings` that were sent."""
        sent = {name: getattr(self, name) for name in _SETTINGS}
        settings = {_SETTINGS[name]: value for name, value in sent.items() if value is not None}
        return settings | {name: getattr(self, name) for name in _OR_DEFAULT if name in self.model_fields_set}


class CollectionRequest(_PracticeSchema):
    """A new collection, bound to a network that is served; what is not said is as the service's settings say."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "staff", "enroll_quality": 0.4, "index": "exact"}]}
    )

    name: CollectionName
    model: NetworkName | None = None
    index: Annotated[IndexKind | None, Field(description="How it is searched; null: as the service's setting.")] = None


class CollectionChange(_PracticeSchema):
    """What changes of a collection; `flip` and `detector` only while nobody is enrolled."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"probe_quality": 0.3}],
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "boolean" if name == "flip" else "number"}}}
                for name in _SETTINGS
            ],
        },
    )

    @model_validator(mode="after")
    def _something(self) -> "CollectionChange":
        if not self.settings():
            raise ValueError(f"send any of {', '.join([*_SETTINGS, *_OR_DEFAULT])}")
        return self


class CollectionSchema(BaseModel):
    """A collection."""

    name: str
    model: Annotated[str, Field(description="The network that made its embeddings.")]
    dimension: int
    is_usable: Annotated[bool, Field(description="The service serves that network; else its use is 409.")]
    flip: bool
    enroll_quality: float
    probe_quality: float
    detector: Annotated[str | None, Field(description="Null: as the service's setting; as with the next three.")]
    max_fmr: float | None
    max_fpir: float | None
    threshold: float | None
    on_duplicate: Reaction
    on_mismatch: Reaction
    retention_days: Annotated[int | None, Field(description="Null: people are kept for ever.")]
    require_consent: bool
    index: Annotated[str | None, Field(description="Null: as the service's setting.")]
    keep_crops: bool
    identities: int
    faces: int
    revision: Annotated[int, Field(description="Counts its writes.")]

    @classmethod
    def of(cls, collection: Collection, served: Container[str]) -> "CollectionSchema":
        """Take over a collection, given the networks that are served."""
        settings = collection.settings
        return cls(
            name=collection.name,
            model=collection.model,
            dimension=collection.dimension,
            is_usable=collection.model in served,
            flip=settings.is_flip_averaged,
            enroll_quality=settings.enroll_quality,
            probe_quality=settings.probe_quality,
            detector=settings.detector,
            max_fmr=settings.max_fmr,
            max_fpir=settings.max_fpir,
            threshold=settings.threshold,
            on_duplicate=settings.on_duplicate,
            on_mismatch=settings.on_mismatch,
            retention_days=settings.retention_days,
            require_consent=settings.is_consent_required,
            index=collection.index_kind,
            keep_crops=settings.is_crop_kept,
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
    consent: ConsentSchema | None
    expires_at: datetime | None
    ends_at: Annotated[
        datetime | None,
        Field(description="Found no more from then on, and erased: `expires_at`, or the retention's end."),
    ]

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
            consent=ConsentSchema.of(record.consent),
            expires_at=record.expires_at,
            ends_at=record.ends_at,
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
    """What changes of a person: a name (null removes it), the metadata, consent as a whole (null empties them)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Ada Lovelace", "metadata": {"badge": 7}}], "minProperties": 1},
    )

    name: PersonName | None = None
    metadata: JsonObject | None = None
    consent: ConsentSchema | None = None
    expires_at: Annotated[
        Moment | None, Field(description="When they are to be erased; null: as the retention says.")
    ] = None

    @model_validator(mode="after")
    def _something(self) -> "IdentityChange":
        if not self.model_fields_set:
            raise ValueError("send name, metadata, consent or expires_at")
        return self

    def change(self) -> PersonChange:
        """Return what was sent."""
        sent = self.model_fields_set
        return PersonChange(
            self.name,
            self.metadata,
            has_name="name" in sent,
            has_metadata="metadata" in sent,
            consent=self.consent.value() if self.consent is not None else None,
            expires_at=self.expires_at,
            has_consent="consent" in sent,
            has_expires_at="expires_at" in sent,
        )


class MergeRequest(BaseModel):
    """Into whom a person is merged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"into": "ada"}]})

    into: IdentityId


class MoveRequest(BaseModel):
    """To whom a face belongs; who is new is created."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"identity_id": "ada"}]})

    identity_id: IdentityId


class StoredFaceSchema(BaseModel):
    """An enrolled face."""

    face_id: str
    identity_id: str
    box: BoxSchema
    landmarks: list[PointSchema]
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
