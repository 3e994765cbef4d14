"""What requests say. The names are the API's contract."""

import base64
import binascii
import json
from typing import Annotated, Any, Self

from fastapi import Path
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from app.recognition.enrolment import FaceChoice

MOST_PHOTOS = 50
MOST_CANDIDATES = 100
LONGEST_METADATA = 16_384
LONGEST_WHERE = 4_096
LONGEST_EMBEDDING = 4_096
DEFAULT_COLLECTION = "default"


def _photo(value: object) -> object:
    """Take a multipart file's bytes as they are, and base64 (also as a data: URL) from JSON."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("a photo is a file, or base64 text in JSON")  # noqa: TRY004 - pydantic reports ValueErrors
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the photo is not valid base64") from error


def _json_object(value: object) -> object:
    """Take an object, also as JSON text from a form; what JSON cannot say (NaN) or what is too long is refused."""
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        text = json.dumps(parsed, allow_nan=False)
        json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair could never be answered
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("metadata must be a JSON object") from error
    if len(text) > LONGEST_METADATA:
        raise ValueError(f"metadata must have at most {LONGEST_METADATA} characters as JSON")
    return parsed


def _where(value: object) -> object:
    """Take an object, also as JSON text from a form; as ASCII it must fit a database's pattern."""
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        text = json.dumps(parsed, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("where must be a JSON object") from error
    if len(text) > LONGEST_WHERE:
        raise ValueError(f"where must have at most {LONGEST_WHERE} characters as JSON")
    return parsed


Photo = Annotated[
    bytes,
    BeforeValidator(_photo),
    WithJsonSchema(
        {"type": "string", "contentEncoding": "base64", "description": "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF"}
    ),
]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
PersonName = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
CollectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
CollectionPath = Annotated[CollectionName, Path(description="Name of the collection.")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
JsonObject = Annotated[
    dict[str, Any], BeforeValidator(_json_object), WithJsonSchema({"type": "object", "additionalProperties": True})
]


Where = Annotated[
    dict[str, StrictStr | StrictBool | StrictInt | StrictFloat | None],
    BeforeValidator(_where),
    Field(
        max_length=20,
        description="Search only people whose metadata has these members with these values (text, number, true, null).",
        examples=[{"site": "Oslo"}],
    ),
]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EnrollRequest(_Schema):
    """Photos of one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"photos": ["/9j/4AAQSkZJRg..."], "identity_id": "ada", "name": "Ada Lovelace"}]
        }
    )

    photos: Annotated[list[Photo], Field(min_length=1, max_length=MOST_PHOTOS)]
    identity_id: Annotated[Id | None, Field(description="The caller's id of the person; generated when missing.")] = (
        None
    )
    name: PersonName | None = None
    metadata: Annotated[JsonObject | None, Field(description="A JSON object, kept as it is.")] = None
    collection: CollectionName = DEFAULT_COLLECTION
    face: Annotated[FaceChoice, Field(description="Refuse photos with several faces, or take the main one.")] = (
        FaceChoice.ONLY
    )


Threshold = Annotated[
    float | None, Field(ge=-1, le=1, description="Decide by this similarity exactly, instead of by an error rate.")
]


class VerifyRequest(_Schema):
    """A probe photo, and what it is compared with: a photo, or an enrolled identity."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"probe": "/9j/4AAQSkZJRg...", "identity_id": "ada"}]})

    probe: Photo
    reference: Photo | None = None
    identity_id: Id | None = None
    collection: CollectionName = DEFAULT_COLLECTION

    max_fmr: Annotated[
        float | None,
        Field(gt=0, le=0.5, description="Most pairs of different people that may match; 1e-4 when nothing is said."),
    ] = None
    threshold: Threshold = None

    @model_validator(mode="after")
    def _one_rule(self) -> "VerifyRequest":
        if self.max_fmr is not None and self.threshold is not None:
            raise ValueError("send either max_fmr or threshold")
        return self

    @model_validator(mode="after")
    def _one_reference(self) -> "VerifyRequest":
        if (self.reference is None) == (self.identity_id is None):
            raise ValueError("send either reference or identity_id")
        return self


class DetectRequest(_Schema):
    """A photo, in which faces are found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"photo": "/9j/4AAQSkZJRg..."}]})

    photo: Photo


class EmbedRequest(DetectRequest):
    """A photo, in which faces are found and embedded."""

    flip: Annotated[
        bool | None, Field(description="Average with the mirror image's embedding; null: as the service's setting.")
    ] = None


class _Lookup(_Schema):
    collection: CollectionName = DEFAULT_COLLECTION
    top_k: Annotated[int, Field(ge=1, le=MOST_CANDIDATES, description="Most candidates for each face.")] = 5
    max_fpir: Annotated[
        float | None,
        Field(gt=0, le=0.5, description="Most strangers that may find a match; 0.01 when nothing is said."),
    ] = None
    threshold: Threshold = None
    where: Where | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.max_fpir is not None and self.threshold is not None:
            raise ValueError("send either max_fpir or threshold")
        return self


class IdentifyRequest(_Lookup):
    """A photo, in which every face is looked up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"photo": "/9j/4AAQSkZJRg...", "top_k": 3}]})

    photo: Photo


class SearchRequest(_Lookup):
    """An embedding, which is looked up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"embedding": [0.02, -0.11, 0.07], "top_k": 3}]})

    embedding: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False, strict=True)]],
        Field(
            min_length=1,
            max_length=LONGEST_EMBEDDING,
            description="As many numbers as the collection's embeddings have; of any length but 0.",
        ),
    ]
