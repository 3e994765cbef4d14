"""Schemas of the gallery: collections, identities and faces, as requests change them and answers show them."""

from collections.abc import Container
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from app.api.schemas.boxes import BoxSchema, PointSchema
from app.api.schemas.collection_fields import (
    ImpostorChoice,
    RememberUnknownDays,
    RetentionDays,
    ReviewSettingsSchema,
)
from app.api.schemas.fields import (
    ConsentSchema,
    JsonObject,
    Moment,
    NetworkName,
    OnDuplicate,
    OnMismatch,
    StrictSchema,
)
from app.api.schemas.paging import cursor_of
from app.api.schemas.quality import QualitySchema
from app.api.schemas.settings_in_force import SettingsInForceSchema
from app.gallery.store.records import FaceRecord, IdentityRecord, PeoplePage, PersonChange
from app.gallery.store.values import Collection, Person, Reaction, Terms
from app.names import CollectionName, FaceId, IdentityId, PersonName, with_current_names
from app.recognition.collections import SettingsInForce
from app.types import Impostors, IndexKind, LivenessMode, Page, ReviewMode

Flip = Annotated[bool, Field(strict=True, description="Average embeddings with the mirror image's.")]
Gate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ErrorRate = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)]
Detector = Annotated[str, StringConstraints(max_length=128, pattern=r"^[a-z0-9][a-z0-9_.-]*(\+[a-z0-9][a-z0-9_.-]*)?$")]
Cursor = Annotated[str | None, Field(description="`cursor` of the next page; null on the last one.")]


def _numbers(values: object) -> object:
    """Accept an array for a list of numbers."""
    return values.tolist() if isinstance(values, np.ndarray) else values


Vector = Annotated[list[float], BeforeValidator(_numbers)]

MOST_MOVED = 1000
_FACE_ID = "93083e81-4b7f-4c7a-9f0e-0a4c1d6e2b11"

# Names in the API of the collection's settings that have others inside.
_RENAMED = {
    "flip": "is_flip_averaged",
    "keep_crops": "is_crop_kept",
    "require_consent": "is_consent_required",
    "adaptive": "is_adaptive",
}
_SETTINGS = (
    "flip",
    "enroll_quality",
    "probe_quality",
    "keep_crops",
    "on_duplicate",
    "on_mismatch",
    "require_consent",
    "adaptive",
    "liveness",
    *("review", "review_days", "reviewers"),
)
# Null is a value of these: the service's default, for `retention_days` no end, for the next one nothing is kept.
_OR_DEFAULT = ("detector", "max_fmr", "max_fpir", "threshold", "retention_days", "remember_unknown_days", "impostors")


class _SettingsSchema(ReviewSettingsSchema):
    _with_current_names = model_validator(mode="before")(with_current_names)

    flip: Flip | None = None
    enroll_quality: Annotated[Gate | None, Field(description="Minimum quality of an enrolled face.")] = None
    probe_quality: Annotated[Gate | None, Field(description="Minimum quality of a probe for a firm match.")] = None
    detector: Annotated[
        Detector | None, Field(description="A pack, or finder+landmarker; null: the service's setting.")
    ] = None
    max_fmr: Annotated[ErrorRate | None, Field(description="Default for /verify; null: 1e-4.")] = None
    max_fpir: Annotated[ErrorRate | None, Field(description="Default for /identify and /search; null: 0.01.")] = None
    threshold: Annotated[
        float | None, Field(ge=-1, le=1, allow_inf_nan=False, description="Decides instead of both rates.")
    ] = None
    keep_crops: Annotated[
        bool | None, Field(strict=True, description="Store the aligned crops of enrolled faces, encrypted.")
    ] = None
    on_duplicate: OnDuplicate = None
    on_mismatch: OnMismatch = None
    retention_days: RetentionDays = None
    remember_unknown_days: RememberUnknownDays = None
    require_consent: Annotated[
        bool | None, Field(strict=True, description="Refuse to enroll people without recorded consent.")
    ] = None
    adaptive: Annotated[
        bool | None, Field(strict=True, description="Adapt the error rates to the collection's own people.")
    ] = None
    impostors: ImpostorChoice = None
    liveness: Annotated[
        LivenessMode | None,
        Field(description="Detection of presentation attacks: `off`, `observe` (only answered), or `enforce`."),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return the settings that were sent, by their names in `CollectionSettings`."""
        sent = {name: getattr(self, name) for name in _SETTINGS if getattr(self, name) is not None}
        sent |= {name: getattr(self, name) for name in _OR_DEFAULT if name in self.model_fields_set}
        return {_RENAMED.get(name, name): value for name, value in sent.items()}


class CollectionRequest(_SettingsSchema):
    """A new collection, bound to a network that the service runs; missing settings have the service's defaults."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "staff", "enroll_quality": 0.4, "index": "exact"}]}
    )

    name: CollectionName
    model: NetworkName | None = None
    index: Annotated[IndexKind | None, Field(description="Index engine; null: the service's setting.")] = None


class CollectionChange(_SettingsSchema):
    """New settings of a collection; `flip` and `detector` can change only while nobody is enrolled."""

    model_config = ConfigDict(
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
    model: Annotated[str, Field(description="The network that computed its embeddings.")]
    dimension: int
    is_usable: Annotated[bool, Field(description="The service runs this network; else requests answer 409.")]
    flip: Annotated[bool, Field(validation_alias="is_flip_averaged")]
    enroll_quality: float
    probe_quality: float
    detector: Annotated[str | None, Field(description="Null: the service's setting, also for the next three.")]
    max_fmr: float | None
    max_fpir: float | None
    threshold: float | None
    on_duplicate: Reaction
    on_mismatch: Reaction
    retention_days: Annotated[int | None, Field(description="Null: people are kept without end.")]
    remember_unknown_days: Annotated[int | None, Field(description="Null: unknown faces are not kept.")]
    require_consent: Annotated[bool, Field(validation_alias="is_consent_required")]
    adaptive: Annotated[bool, Field(validation_alias="is_adaptive")]
    impostors: Annotated[Impostors | None, Field(description="Null: the service's setting.")]
    liveness: LivenessMode
    review: ReviewMode
    review_days: Annotated[int, Field(description="Open reviews expire after this many days.")]
    reviewers: Annotated[int, Field(description="Different people who have to agree.")]
    index: Annotated[str | None, Field(validation_alias="index_kind", description="Null: the service's setting.")]
    keep_crops: Annotated[bool, Field(validation_alias="is_crop_kept")]
    in_force: Annotated[SettingsInForceSchema, Field(description="The settings with the service's in place of null.")]
    identities: int
    faces: int
    revision: Annotated[int, Field(description="Number of its writes.")]

    @classmethod
    def of(cls, collection: Collection, served: Container[str], in_force: SettingsInForce) -> "CollectionSchema":
        """Return the schema of a collection; `served` are the models that the service runs."""
        own = {"is_usable": collection.model in served, "in_force": SettingsInForceSchema.model_validate(in_force)}
        return cls.model_validate({**asdict(collection), **asdict(collection.settings), **own})


class CollectionsPage(BaseModel):
    """Collections, the oldest first."""

    collections: list[CollectionSchema]
    next_cursor: Cursor


class IdentitySchema(BaseModel):
    """An identity: a person."""

    identity_id: str
    name: str | None
    metadata: dict[str, Any]
    faces: Annotated[int, Field(description="Number of faces.")]
    face_id: Annotated[
        str | None, Field(description="The face to show: one with an image if any has one, of the best quality.")
    ]
    has_image: Annotated[bool, Field(description="That face has an image: GET .../faces/{face_id}/image.")]
    created_at: datetime
    updated_at: datetime
    consent: ConsentSchema | None
    expires_at: datetime | None
    ends_at: Annotated[
        datetime | None,
        Field(description="Searches ignore the person from then on: `expires_at`, or the end of the retention."),
    ]

    @classmethod
    def of(cls, record: IdentityRecord) -> "IdentitySchema":
        """Return the schema of an identity."""
        return cls.model_validate(record, from_attributes=True)


class IdentitiesPage(BaseModel):
    """Identities, the oldest first unless another `order` was sent."""

    identities: list[IdentitySchema]
    next_cursor: Cursor
    total: Annotated[int, Field(description="Number of identities on all pages.")]

    @classmethod
    def of(cls, page: PeoplePage) -> "IdentitiesPage":
        """Return the schema of a page."""
        listed = [IdentitySchema.of(each) for each in page.items]
        return cls(identities=listed, next_cursor=cursor_of(page.after), total=page.total)


class IdentityChange(StrictSchema):
    """Changes of an identity. Metadata and consent are replaced as a whole; null removes a value."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Ada Lovelace", "metadata": {"badge": 7}}], "minProperties": 1},
    )

    name: PersonName | None = None
    metadata: JsonObject | None = None
    consent: ConsentSchema | None = None
    expires_at: Annotated[
        Moment | None, Field(description="When the person is erased; null: when the retention ends.")
    ] = None

    @model_validator(mode="after")
    def _something(self) -> "IdentityChange":
        if not self.model_fields_set:
            raise ValueError("send name, metadata, consent or expires_at")
        return self

    def change(self) -> PersonChange:
        """Return the fields that were sent."""
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


class MergeRequest(StrictSchema):
    """The identity that receives the faces."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"into": "ada"}]})

    into: IdentityId


class MoveRequest(StrictSchema):
    """The identity that receives the face; a new one is created."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"identity_id": "ada"}]})

    identity_id: IdentityId


class MoveFacesRequest(StrictSchema):
    """Faces, and the identity that receives them. A new one gets these fields; sent ones replace an existing one's."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"face_ids": [_FACE_ID], "identity_id": "bob", "name": "Bob"}]}
    )

    face_ids: Annotated[list[FaceId], Field(min_length=1, max_length=MOST_MOVED)]
    identity_id: IdentityId
    name: PersonName | None = None
    metadata: JsonObject | None = None
    consent: ConsentSchema | None = None
    expires_at: Annotated[Moment | None, Field(description="When the person is erased.")] = None

    def person(self) -> Person:
        """Return the identity with the fields that were sent."""
        terms = Terms(None if self.consent is None else self.consent.value(), self.expires_at)
        return Person(self.identity_id, self.name, self.metadata, terms)


class StoredFaceSchema(BaseModel):
    """An enrolled face."""

    face_id: str
    identity_id: str
    box: BoxSchema
    landmarks: list[PointSchema]
    detection_score: float
    quality: Annotated[QualitySchema | None, Field(description="Null for faces of early versions.")]
    norm: Annotated[float, Field(description="Length of the network's feature before normalisation.")]
    model: str
    image_sha256: Annotated[str, Field(description="SHA-256 of the enrolled photo.")]
    created_at: datetime
    has_image: Annotated[bool, Field(description="GET .../faces/{face_id}/image answers with a JPEG.")]
    embedding: Annotated[Vector | None, Field(description="Only with `embedding=true`.")] = None

    @classmethod
    def of(cls, record: FaceRecord) -> "StoredFaceSchema":
        """Return the schema of a face."""
        return cls.model_validate(record, from_attributes=True)


class FacesPage(BaseModel):
    """Faces, the oldest first."""

    faces: list[StoredFaceSchema]
    next_cursor: Cursor

    @classmethod
    def of(cls, page: Page[FaceRecord]) -> "FacesPage":
        """Return the schema of a page."""
        return cls(faces=[StoredFaceSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


class IdentityAnswer(IdentitySchema):
    """An identity with its first faces; GET .../faces?identity_id=... lists all."""

    first_faces: list[StoredFaceSchema]

    @classmethod
    def of_person(cls, record: IdentityRecord, faces: Page[FaceRecord]) -> "IdentityAnswer":
        """Return the schema of an identity and the first page of its faces."""
        first = [StoredFaceSchema.of(each) for each in faces.items]
        return cls(**IdentitySchema.of(record).model_dump(), first_faces=first)
