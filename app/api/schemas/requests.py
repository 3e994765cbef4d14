"""What requests say. The names are the API's contract."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from app.api.schemas.base64_photos import bytes_of
from app.errors import PhotoRefused
from app.gallery.store.values import Consent, Reaction, Terms
from app.names import CollectionName, IdentityId, PersonName, Text, nfc_json
from app.recognition.enrollment import FaceChoice
from app.remote.urls import LONGEST
from app.transfer.text_encodings import Encoding

MOST_PHOTOS = 50
MOST_CANDIDATES = 100
LONGEST_METADATA = 16_384
DEEPEST_METADATA = 64  # answers are written by a serialiser that stops at 255
LONGEST_WHERE = 4_096
LONGEST_EMBEDDING = 4_096
DEFAULT_COLLECTION = "default"
_FIRST_YEAR, _LAST_YEAR = 1900, 9000

Schema = TypeVar("Schema", bound=BaseModel)


def _photo(value: object, info: ValidationInfo) -> object:
    """Take a multipart file's bytes as they are, and base64 (also as a data: URL) from text."""
    if isinstance(value, str):
        return bytes_of(value, info.field_name or "photo")
    if not isinstance(value, bytes):
        raise ValueError("send a file, or base64 text in JSON")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _parsed(value: object, info: ValidationInfo) -> object:
    """Return an object; a form can only say it as JSON text."""
    return json.loads(value) if isinstance(value, str) and info.mode != "json" else value


def _json_object(value: object, info: ValidationInfo) -> object:
    """Take an object, also as JSON text from a form; what JSON cannot say (NaN) or what is too long is refused."""
    try:
        parsed = _parsed(value, info)
        text = json.dumps(parsed, allow_nan=False)
        json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair could never be answered
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("metadata must be a JSON object") from error
    if len(text) > LONGEST_METADATA:
        raise ValueError(f"metadata must have at most {LONGEST_METADATA} characters as JSON")
    if _is_deeper(parsed, DEEPEST_METADATA):
        raise ValueError(f"metadata must be nested at most {DEEPEST_METADATA} deep")
    return nfc_json(parsed)


_MOMENT = TypeAdapter(AwareDatetime)


def _moment(value: object) -> object:
    """Read a text here: what comes through a validator of ours is no longer JSON to pydantic, and must be a moment."""
    try:
        return _MOMENT.validate_strings(value) if isinstance(value, str) else value
    except ValidationError as error:
        raise ValueError("it must be a moment with its zone, such as 2026-05-04T09:30:00Z") from error


def _within(moment: datetime) -> datetime:
    """Take what databases can hold in UTC."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"the year must be from {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for part in inside for each in part]
        if not level:
            return False
    return True


def _where(value: object, info: ValidationInfo) -> object:
    """Take an object, also as JSON text from a form; as ASCII it must fit a database's pattern."""
    try:
        parsed = nfc_json(_parsed(value, info))
        text = json.dumps(parsed, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("where must be a JSON object") from error
    if len(text) > LONGEST_WHERE:
        raise ValueError(f"where must have at most {LONGEST_WHERE} characters as JSON")
    return parsed


def _whole(value: object) -> object:
    """Take 5.0 for 5, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""For integers; after the field's limits, which else are not in the document."""
Photo = Annotated[
    bytes,
    BeforeValidator(_photo),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "format": "byte",  # as OpenAPI 3.0 says it, which many generators of clients still read
            "description": "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF",
        }
    ),
]
Upload = Annotated[
    bytes,
    BeforeValidator(_photo),
    WithJsonSchema(
        {"type": "string", "contentEncoding": "base64", "format": "byte", "description": "A ZIP file."},
    ),
]
Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST),
    Field(
        description="Where the photo is fetched from, where the service allows that.",
        examples=["https://photos.example/1.jpg"],
    ),
]
NetworkName = Annotated[
    str,
    StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"),
    Field(description="A network that is served, by its `model` or its pack's name (GET /models)."),
]
CollectionPath = Annotated[CollectionName, Path(description="Name of the collection.")]
JsonObject = Annotated[
    dict[str, Any], BeforeValidator(_json_object), WithJsonSchema({"type": "object", "additionalProperties": True})
]


ServerPath = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]

Where = Annotated[
    dict[str, StrictStr | StrictBool | StrictInt | StrictFloat | None],
    Field(
        max_length=20,
        description="Search only people whose metadata has these members with these values (text, number, true, null).",
        examples=[{"site": "Oslo"}],
    ),
    BeforeValidator(_where),
]


OnDuplicate = Annotated[
    Reaction | None,
    Field(description="Faces that look like another identity: refuse (409), say so, or do not look; null: as it is."),
]
OnMismatch = Annotated[
    Reaction | None,
    Field(description="Faces unlike the identity's others: refuse the photo, say so, or do not look; null: as it is."),
]


def _from_json(value: object, info: ValidationInfo) -> object:
    """Take an object, also as JSON text from a form."""
    try:
        return _parsed(value, info)
    except (ValueError, RecursionError) as error:
        raise ValueError("it must be a JSON object") from error


Words = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]
Moment = Annotated[AwareDatetime, AfterValidator(_within), BeforeValidator(_moment)]


class ConsentSchema(BaseModel):
    """On what grounds somebody is enrolled."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"basis": "consent", "given_at": "2026-05-04T09:30:00Z", "reference": "F-17"}]},
    )

    basis: Annotated[Text, Field(description="Such as consent, contract, legal_obligation.")]
    given_at: Moment
    text: Annotated[Words | None, Field(description="What was consented to, in their words or a form's.")] = None
    expires_at: Annotated[Moment | None, Field(description="From then on it does not hold.")] = None
    reference: Annotated[Text | None, Field(description="Where the signed form is to be found.")] = None

    def value(self) -> Consent:
        """Return the value."""
        return Consent(self.basis, self.given_at, self.text, self.expires_at, self.reference)

    @classmethod
    def of(cls, consent: Consent | None) -> "ConsentSchema | None":
        """Take over a value."""
        return None if consent is None else cls.model_construct(**asdict(consent))


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
"""A photo for examples: a grey pixel."""


def _not_both(first: str, second: str) -> dict[str, Any]:
    """Return the rule for the document that at most one of two numbers is sent."""
    return {"not": {"required": [first, second], "properties": {each: {"type": "number"} for each in (first, second)}}}


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _one_of(*names: str) -> dict[str, JsonValue]:
    """Return how a JSON schema says that exactly one of several members, texts or arrays, is there."""
    types = {name: "array" if name.startswith("photos") or name.endswith("urls") else "string" for name in names}
    return {"oneOf": [{"required": [name], "properties": {name: {"type": types[name]}}} for name in names]}


def _members(*required: str, **properties: JsonValue) -> dict[str, JsonValue]:
    """Return how a JSON schema says what some members are, and that `required` ones are there."""
    return {"required": list(required), "properties": properties}


def _require_one(request: Schema, *names: str) -> Schema:
    given = [name for name in names if name in request.model_fields_set and getattr(request, name) is not None]
    if len(given) != 1:
        raise ValueError(f"send either {' or '.join(names)}")
    return request


class PhotosRequest(_Schema):
    """A request with photos. Those named by URL are fetched (`photos_by_url`), and then it has their bytes."""

    takes_several: ClassVar[bool] = False

    def urls(self) -> list[str]:
        """Return the URLs of photos, in the order in which `with_photos` takes the photos."""
        raise NotImplementedError

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return the same request with the photos in place of the URLs."""
        raise NotImplementedError


class EnrollRequest(PhotosRequest):
    """Photos of one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"photos": [PIXEL], "identity_id": "ada", "name": "Ada Lovelace"}],
            **_one_of("photos", "photo_urls"),
        }
    )
    takes_several: ClassVar[bool] = True

    photos: Annotated[list[Photo], Field(default_factory=list, min_length=1, max_length=MOST_PHOTOS)]
    photo_urls: Annotated[list[Url], Field(default_factory=list, min_length=1, max_length=MOST_PHOTOS)]
    identity_id: Annotated[
        IdentityId | None, Field(description="The caller's id of the person; generated when missing.")
    ] = None
    name: PersonName | None = None
    metadata: Annotated[JsonObject | None, Field(description="A JSON object, kept as it is.")] = None
    consent: Annotated[
        ConsentSchema | None, BeforeValidator(_from_json), Field(description="Replaces what is stored.")
    ] = None
    expires_at: Annotated[Moment | None, Field(description="When the person is to be erased.")] = None
    collection: CollectionName = DEFAULT_COLLECTION
    face: Annotated[FaceChoice, Field(description="Refuse photos with several faces, or take the main one.")] = (
        FaceChoice.ONLY
    )
    on_duplicate: OnDuplicate = None
    on_mismatch: OnMismatch = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return _require_one(self, "photos", "photo_urls")

    def urls(self) -> list[str]:
        """Return the photos' URLs."""
        return self.photo_urls

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return the same request with the photos; those that were refused are rejected one by one."""
        return self.model_copy(update={"photos": list(photos)})

    def terms(self) -> Terms:
        """Return the grounds and the end that were sent."""
        return Terms(self.consent.value() if self.consent is not None else None, self.expires_at)


Threshold = Annotated[
    float | None,
    Field(
        ge=-1,
        le=1,
        description="Decide by this similarity instead of by an error rate. Without scope `manage` not below the "
        "collection's own doubt range, and in steps of 0.001.",
    ),
]


class VerifyRequest(PhotosRequest):
    """A probe photo, and what it is compared with: a photo, or an enrolled identity."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"probe": PIXEL, "identity_id": "ada"}],
            "allOf": [_one_of("probe", "probe_url"), _one_of("reference", "reference_url", "identity_id")],
            **_not_both("max_fmr", "threshold"),
        }
    )

    probe: Annotated[Photo, Field(default_factory=bytes)]
    probe_url: Url | None = None
    reference: Photo | None = None
    reference_url: Url | None = None
    identity_id: IdentityId | None = None
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
        _require_one(self, "probe", "probe_url")
        if sum(each is not None for each in (self.reference, self.reference_url, self.identity_id)) != 1:
            raise ValueError("send either reference, reference_url or identity_id")
        return self

    def urls(self) -> list[str]:
        """Return the URLs of the probe and the reference, where there are any."""
        return [each for each in (self.probe_url, self.reference_url) if each is not None]

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return the same request with the photos."""
        named = [name for name in ("probe", "reference") if getattr(self, f"{name}_url") is not None]
        return self.model_copy(update=dict(zip(named, photos, strict=True)))


class _PhotoRequest(PhotosRequest):
    photo: Annotated[Photo, Field(default_factory=bytes)]
    photo_url: Url | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return _require_one(self, "photo", "photo_url")

    def urls(self) -> list[str]:
        """Return the photo's URL, if there is one."""
        return [] if self.photo_url is None else [self.photo_url]

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return the same request with the photo."""
        return self.model_copy(update={"photo": photos[0]})


class DetectRequest(_PhotoRequest):
    """A photo, in which faces are found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"photo": PIXEL}], **_one_of("photo", "photo_url")})

    model: Annotated[NetworkName | None, Field(description="Null: the usual network; it matters to `quality`.")] = None


class EmbedRequest(DetectRequest):
    """A photo, in which faces are found and embedded."""

    flip: Annotated[
        bool | None, Field(description="Average with the mirror image's embedding; null: as the service's setting.")
    ] = None


class _Lookup(_Schema):
    collection: CollectionName = DEFAULT_COLLECTION
    top_k: Annotated[int, Field(ge=1, le=MOST_CANDIDATES, description="Most candidates for each face."), WHOLE] = 5
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


class IdentifyRequest(_Lookup, _PhotoRequest):
    """A photo, in which every face is looked up."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"photo": PIXEL, "top_k": 3}],
            **_one_of("photo", "photo_url"),
            **_not_both("max_fpir", "threshold"),
        }
    )


_NULL: JsonValue = {"type": "null"}
_STRING: JsonValue = {"type": "string"}
_WHOLE_IMPORTS: JsonValue = {"enum": ["import", "import_archive"]}
_LINES_IMPORT: JsonValue = {"const": "import_embeddings"}


class JobRequest(_Schema):
    """Long work on a collection: an import (of a file or a path on the server), an export, or its calibration."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "import", "collection": "staff", "path": "2026/staff.zip"}],
            "oneOf": [
                _members(kind={"enum": ["calibrate", "export"]}, file=_NULL, path=_NULL, model=_NULL),
                _members("file", kind=_WHOLE_IMPORTS, file=_STRING, path=_NULL, model=_NULL),
                _members("path", kind=_WHOLE_IMPORTS, file=_NULL, path=_STRING, model=_NULL),
                _members("file", "model", kind=_LINES_IMPORT, file=_STRING, path=_NULL, model=_STRING),
                _members("path", "model", kind=_LINES_IMPORT, file=_NULL, path=_STRING, model=_STRING),
            ],
        }
    )

    kind: Literal["import", "import_archive", "import_embeddings", "export", "calibrate"]
    collection: CollectionName = DEFAULT_COLLECTION
    file: Annotated[
        Upload | None,
        Field(
            description="A ZIP file of person/photo.jpg, or with a CSV at its top; an archive that an export made; "
            "or embeddings, a JSON object a line."
        ),
    ] = None
    path: Annotated[
        ServerPath | None,
        Field(description="The same, or a folder or CSV of photos, in the folder that imports may read on the server."),
    ] = None
    model: Annotated[NetworkName | None, Field(description="The network that made the embeddings.")] = None
    face: Annotated[FaceChoice, Field(description="Refuse photos with several faces, or take the main one.")] = (
        FaceChoice.ONLY
    )
    flat: Annotated[bool, Field(description="Photos are person.jpg instead of person/photo.jpg.")] = False
    encoding: Annotated[
        Encoding | None, Field(description="Of the list or the names in the ZIP, where they are not marked as Unicode.")
    ] = None
    new_face_ids: Annotated[
        bool, Field(description="Give an archive's faces new ids, for a copy within one database.")
    ] = False

    @model_validator(mode="after")
    def _one_source(self) -> "JobRequest":
        given = (self.file is not None) + (self.path is not None)
        if given != self.kind.startswith("import"):
            raise ValueError("an import needs either file or path; nothing else takes them")
        if (self.model is not None) != (self.kind == "import_embeddings"):
            raise ValueError("an import of embeddings needs the model that made them; nothing else takes it")
        return self

    def options(self) -> dict[str, str | bool | None]:
        """Return what the kind of import needs to know."""
        if self.kind == "import":
            encoding = {} if self.encoding is None else {"encoding": self.encoding.value}
            return {"face": self.face.value, "flat": self.flat, **encoding}
        return {"new_face_ids": self.new_face_ids} if self.kind == "import_archive" else {"model": self.model}


class SearchRequest(_Lookup):
    """An embedding, which is looked up."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"embedding": [0.02, -0.11, 0.07], "top_k": 3}],
            **_not_both("max_fpir", "threshold"),
        }
    )

    embedding: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False, strict=True)]],
        Field(
            min_length=1,
            max_length=LONGEST_EMBEDDING,
            description="As many numbers as the collection's embeddings have; of any length but 0.",
        ),
    ]
    model: Annotated[
        NetworkName | None, Field(description="The network that made it: 409 if that is not the collection's.")
    ] = None
