"""Request schemas. Their names are the API's contract."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from app.api.schemas.fields import (
    DEFAULT_COLLECTION,
    EMBEDDING,
    FROM_JSON,
    LONGEST_EMBEDDING,
    MOST_CANDIDATES,
    MOST_PHOTOS,
    PIXEL,
    WHOLE,
    Components,
    ConsentSchema,
    JsonObject,
    Landmarks,
    Liveness,
    Moment,
    NetworkName,
    OnDuplicate,
    OnMismatch,
    Photo,
    ServerPath,
    StrictSchema,
    Threshold,
    Upload,
    UploadId,
    Url,
    Where,
    WhichFace,
)
from app.api.schemas.wording import ONE_OF
from app.errors import PhotoRefused
from app.gallery.store.values import Terms
from app.names import CollectionName, IdentityId, PersonName
from app.recognition.face_choice import FaceChoice
from app.transfer.text_encodings import Encoding

Schema = TypeVar("Schema", bound=BaseModel)

_NULL: JsonValue = {"type": "null"}
_STRING: JsonValue = {"type": "string"}
_ARRAY: JsonValue = {"type": "array", "items": {}}


def not_both(first: str, second: str) -> dict[str, Any]:
    """Return the JSON-schema rule that at most one of two numbers is sent."""
    return {"not": {"required": [first, second], "properties": {each: {"type": "number"} for each in (first, second)}}}


def one_of(*names: str, kind: JsonValue = None) -> dict[str, JsonValue]:
    """Return the JSON-schema rule that exactly one of several members is sent: of this `kind`, or texts and arrays."""
    types = {name: _ARRAY if name.startswith("photos") or name.endswith("urls") else _STRING for name in names}
    return {"oneOf": [{"required": [name], "properties": {name: kind or types[name]}} for name in names]}


def _members(*required: str, **properties: JsonValue) -> dict[str, JsonValue]:
    """Return the JSON-schema rule for some members, of which some are required."""
    return {"required": list(required), "properties": properties}


def require_one(request: Schema, *names: str) -> Schema:
    """Return the request; raises ValueError unless exactly one of several members was sent."""
    sent = [name for name in names if name in request.model_fields_set and getattr(request, name) is not None]
    if len(sent) != 1:
        raise ValueError(f"{ONE_OF}{', '.join(names)}")
    return request


class PhotosRequest(StrictSchema):
    """Base of requests with photos; `photos_by_url` replaces URLs by the bytes of their photos."""

    takes_several: ClassVar[bool] = False

    def urls(self) -> list[str]:
        """Return the photos' URLs, in the order that `with_photos` expects."""
        raise NotImplementedError

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return a copy with the photos in place of the URLs."""
        raise NotImplementedError


class EnrollRequest(PhotosRequest):
    """Photos of one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"photos": [PIXEL], "identity_id": "ada", "name": "Ada Lovelace"}],
            **one_of("photos", "photo_urls"),
        }
    )
    takes_several: ClassVar[bool] = True

    photos: Annotated[list[Photo], Field(default_factory=list, min_length=1, max_length=MOST_PHOTOS)]
    photo_urls: Annotated[list[Url], Field(default_factory=list, min_length=1, max_length=MOST_PHOTOS)]
    identity_id: Annotated[
        IdentityId | None, Field(description="The caller's id of the person; generated if missing.")
    ] = None
    name: PersonName | None = None
    metadata: Annotated[JsonObject | None, Field(description="A JSON object, stored unchanged.")] = None
    consent: Annotated[ConsentSchema | None, FROM_JSON, Field(description="Replaces what is stored.")] = None
    expires_at: Annotated[Moment | None, Field(description="When the person is erased.")] = None
    collection: CollectionName = DEFAULT_COLLECTION
    face: WhichFace = FaceChoice.MAIN
    on_duplicate: OnDuplicate = None
    on_mismatch: OnMismatch = None
    liveness: Liveness = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return require_one(self, "photos", "photo_urls")

    def urls(self) -> list[str]:
        """Return the photos' URLs."""
        return self.photo_urls

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return a copy with the photos; refused ones are rejected one by one."""
        return self.model_copy(update={"photos": list(photos)})

    def terms(self) -> Terms:
        """Return the consent and the end that were sent."""
        return Terms(self.consent.value() if self.consent is not None else None, self.expires_at)


class _PhotoRequest(PhotosRequest):
    photo: Annotated[Photo, Field(default_factory=bytes)]
    photo_url: Url | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return require_one(self, "photo", "photo_url")

    def urls(self) -> list[str]:
        """Return the photo's URL, if it has one."""
        return [] if self.photo_url is None else [self.photo_url]

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return a copy with the photo."""
        return self.model_copy(update={"photo": photos[0]})


class EmbedRequest(_PhotoRequest):
    """A photo for face detection and embedding."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"photo": PIXEL}], **one_of("photo", "photo_url")})

    landmarks: Landmarks = True
    components: Components = True
    model: Annotated[NetworkName | None, Field(description="Network that measures `quality`; null: the default.")] = (
        None
    )
    flip: Annotated[
        bool | None, Field(description="Average with the mirror image's embedding; null: the service's setting.")
    ] = None


class LookupRequest(StrictSchema):
    """Base of searches in a gallery."""

    collection: CollectionName = DEFAULT_COLLECTION
    top_k: Annotated[int, Field(ge=1, le=MOST_CANDIDATES, description="Candidates for each face, at most."), WHOLE] = 5
    max_fpir: Annotated[
        float | None,
        Field(gt=0, le=0.5, description="Highest share of strangers that may find a match. Default: 0.01."),
    ] = None
    threshold: Threshold = None
    where: Where | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.max_fpir is not None and self.threshold is not None:
            raise ValueError("send max_fpir or threshold, not both")
        return self


_SOURCES = ("file", "upload", "path")


def _only_source(sent: str) -> dict[str, JsonValue]:
    """Return the JSON-schema rule that one of the sources of an import is sent, and no other."""
    return {each: _STRING if each == sent else _NULL for each in _SOURCES}


_WHOLE_IMPORTS: JsonValue = {"enum": ["import", "import_archive"]}
_WITHOUT_SOURCE: JsonValue = {"enum": ["calibrate", "group", "export", "backup"]}
_LINES_IMPORT: JsonValue = {"const": "import_embeddings"}


class JobRequest(StrictSchema):
    """A job: an import (of a file, an upload or a path on the server), export, calibration, grouping or backup."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "import", "collection": "staff", "path": "2026/staff.zip"}],
            "anyOf": [
                _members(kind=_WITHOUT_SOURCE, **dict.fromkeys((*_SOURCES, "model"), _NULL)),
                *(_members(source, kind=_WHOLE_IMPORTS, model=_NULL, **_only_source(source)) for source in _SOURCES),
                *(
                    _members(source, "model", kind=_LINES_IMPORT, model=_STRING, **_only_source(source))
                    for source in _SOURCES
                ),
            ],
        }
    )

    kind: Literal["import", "import_archive", "import_embeddings", "export", "calibrate", "group", "backup"]
    collection: Annotated[CollectionName, Field(description="A backup is of all collections.")] = DEFAULT_COLLECTION
    file: Annotated[
        Upload | None,
        Field(
            description="A ZIP file of person/photo.jpg, or with a CSV at its top; the archive of an export; "
            "or embeddings, one JSON object per line."
        ),
    ] = None
    upload: Annotated[
        UploadId | None, Field(description="As `file`: the id of a complete upload (POST /uploads) of the same key.")
    ] = None
    path: Annotated[
        ServerPath | None,
        Field(description="As `file`, or a folder or CSV of photos, inside the server's import folder."),
    ] = None
    model: Annotated[NetworkName | None, Field(description="The network that computed the embeddings.")] = None
    face: WhichFace = FaceChoice.MAIN
    flat: Annotated[bool, Field(description="Photos are person.jpg instead of person/photo.jpg.")] = False
    unknown: Annotated[
        bool, Field(description="Enroll nobody: keep the faces that match nobody, to be grouped and named.")
    ] = False
    encoding: Annotated[
        Encoding | None,
        Field(description="Encoding of the CSV, or of names in the ZIP without a Unicode mark."),
    ] = None
    new_face_ids: Annotated[
        bool, Field(description="Give an archive's faces new ids, for a copy within one database.")
    ] = False

    @model_validator(mode="after")
    def _one_source(self) -> "JobRequest":
        given = sum(getattr(self, source) is not None for source in _SOURCES)
        if given != self.kind.startswith("import"):
            raise ValueError("send exactly one of file, upload, path with an import, and none with other kinds of job")
        if (self.model is not None) != (self.kind == "import_embeddings"):
            raise ValueError("send `model` with an import of embeddings, and with no other kind of job")
        return self

    def options(self) -> dict[str, str | bool | None]:
        """Return the parameters of this kind of import."""
        if self.kind == "import":
            encoding = {} if self.encoding is None else {"encoding": self.encoding.value}
            unknown = {"unknown": True} if self.unknown else {}
            return {"face": self.face.value, "flat": self.flat, **unknown, **encoding}
        return {"new_face_ids": self.new_face_ids} if self.kind == "import_archive" else {"model": self.model}


class SearchRequest(LookupRequest):
    """An embedding to search in the gallery."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"embedding": [*EMBEDDING], "top_k": 3}],
            **not_both("max_fpir", "threshold"),
        }
    )

    embedding: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False, strict=True)]],
        Field(
            min_length=1,
            max_length=LONGEST_EMBEDDING,
            description="As many numbers as the collection's embeddings have. The vector may have any length except 0.",
        ),
    ]
    model: Annotated[
        NetworkName | None, Field(description="The network that computed it; 409 if the collection uses another one.")
    ] = None
