"""Requests in CompreFace's form. Unknown members are ignored, as CompreFace does."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from app.api.schemas.fields import EMBEDDING, LONGEST_EMBEDDING, MOST_CANDIDATES, PIXEL, Photo
from app.names import FaceId, IdentityId, PersonName

MOST_AT_ONCE = 1000
MOST_EMBEDDINGS = 100
MOST_ON_A_PAGE = 2000
_LAST_PAGE = 10**9

Subject = Annotated[IdentityId, Query(description="The subject's name: the `identity_id` of the rest of this API.")]
SubjectFilter = Annotated[PersonName, Query(max_length=128, description="Only faces of this subject; all if empty.")]
SubjectPath = Annotated[IdentityId, Path(description="The subject's name.")]
ImageId = Annotated[FaceId, Path(description="The face's id.")]
Page = Annotated[int, Query(ge=0, le=_LAST_PAGE, description="From 0.")]
Size = Annotated[int, Query(ge=1, description=f"Faces on a page; more than {MOST_ON_A_PAGE} are that many.")]
Limit = Annotated[int, Query(ge=0, description="Faces of each photo, at most, the largest first; 0 for all.")]
PredictionCount = Annotated[
    int, Query(ge=1, description=f"Most subjects for each face; more than {MOST_CANDIDATES} are that many.")
]
LeastScore = Annotated[
    float | None,
    Query(
        ge=0,
        le=1,
        alias="det_prob_threshold",
        description="Least detection score of a face. Lower values than the service's own have no effect.",
    ),
]
Plugins = Annotated[
    str,
    Query(
        max_length=1000,
        alias="face_plugins",
        description="Comma-separated: `landmarks`, `calculator`, and those of `age`, `gender`, `mask` and `pose` that "
        "ARCID_ATTRIBUTES lists. Others are ignored.",
    ),
]
Status = Annotated[bool, Query(description="Include times and networks in the answer.")]
DetectFaces = Annotated[bool, Query(alias="detect_faces", description="Only `true`: face detection always runs.")]
Embedding = Annotated[
    list[Annotated[float, Field(allow_inf_nan=False, strict=True)]], Field(min_length=1, max_length=LONGEST_EMBEDDING)
]


class LenientSchema(BaseModel):
    """Base of requests: unknown members are ignored."""

    model_config = ConfigDict(extra="ignore")


class CompreFacePhoto(LenientSchema):
    """A photo."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [{"file": PIXEL}]})

    file: Photo


class CompreFacePair(LenientSchema):
    """A photo of a person, and a photo whose faces are compared with its main face."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"source_image": PIXEL, "target_image": PIXEL}]},
    )

    source_image: Photo
    target_image: Photo


class CompreFaceSubject(LenientSchema):
    """A subject's name."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [{"subject": "Ada Lovelace"}]})

    subject: IdentityId

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: object) -> object:
        """Accept a text for the object, as CompreFace does; its .NET client renames subjects this way."""
        return {"subject": value} if isinstance(value, str) else value


class CompreFaceImageIds(RootModel[list[FaceId]]):
    """Ids of faces."""

    model_config = ConfigDict(json_schema_extra={"examples": [["6b135f5b-a365-4522-b1f1-4c9ac2dd0728"]]})

    root: Annotated[list[FaceId], Field(max_length=MOST_AT_ONCE)]


class CompreFaceEmbeddings(LenientSchema):
    """Embeddings to search or compare."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [{"embeddings": [[*EMBEDDING]]}]})

    embeddings: Annotated[list[Embedding], Field(min_length=1, max_length=MOST_EMBEDDINGS)]


class CompreFaceEmbeddingPair(LenientSchema):
    """An embedding, and the embeddings that are compared with it."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"source": [0.02, -0.11, 0.07], "targets": [[0.03, -0.1, 0.01]]}]},
    )

    source: Embedding
    targets: Annotated[list[Embedding], Field(min_length=1, max_length=MOST_EMBEDDINGS)]
