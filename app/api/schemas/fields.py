"""Field types of requests and answers. Their names and limits are the API's contract."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from app.api.schemas.base64_photos import bytes_of
from app.api.schemas.wording import NOT_A_TIME, ZONE_MISSING
from app.gallery.store.values import Consent, Reaction
from app.names import CollectionName, Text, nfc_json
from app.recognition.face_choice import FaceChoice
from app.remote.urls import LONGEST
from app.types import LivenessMode

MOST_PHOTOS = 50
MOST_CANDIDATES = 100
LONGEST_METADATA = 16_384
DEEPEST_METADATA = 64  # the serialiser of answers stops at 255
LONGEST_WHERE = 4_096
LONGEST_EMBEDDING = 4_096
DEFAULT_COLLECTION = "default"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
"""Photo for examples: a grey pixel."""
EMBEDDING = (0.02, -0.11, 0.07, 0.05) * 32
"""Embedding for examples, as long as those of the default network."""
_FIRST_YEAR, _LAST_YEAR = 1900, 9000


class StrictSchema(BaseModel):
    """Base of requests: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


def _whole(value: object) -> object:
    """Accept 5.0 for 5, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""For integers. Write it after the field's limits, or the document lacks them."""


# Photos and files


def _photo(value: object, info: ValidationInfo) -> object:
    """Accept a multipart file's bytes, or base64 text (also as a data: URL)."""
    if isinstance(value, str):
        return bytes_of(value, info.field_name or "photo", is_json=info.mode == "json")
    if not isinstance(value, bytes):
        raise ValueError("send a file, or base64 text in JSON")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _file(description: str) -> WithJsonSchema:
    """Describe a file; many generators of clients still read `format`, as in OpenAPI 3.0."""
    schema = {"type": "string", "contentEncoding": "base64", "format": "byte", "description": description}
    return WithJsonSchema(schema)


PHOTO_KINDS = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC"
Photo = Annotated[bytes, BeforeValidator(_photo), _file(PHOTO_KINDS)]
Upload = Annotated[bytes, BeforeValidator(_photo), _file("A ZIP file.")]
Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST),
    Field(
        description="The photo's URL. The service fetches it if that is enabled.",
        examples=["https://photos.example/1.jpg"],
    ),
]
UploadId = Annotated[str, StringConstraints(min_length=32, max_length=32, pattern=r"^[0-9a-f]{32}$")]
ServerPath = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]


# JSON objects


def _parsed(value: object, info: ValidationInfo) -> object:
    """Return an object; a form can only send it as JSON text."""
    return json.loads(value) if isinstance(value, str) and info.mode != "json" else value


def _from_json(value: object, info: ValidationInfo) -> object:
    """Accept an object, also as JSON text from a form."""
    try:
        return _parsed(value, info)
    except (ValueError, RecursionError) as error:
        raise ValueError("it must be a JSON object") from error


FROM_JSON = BeforeValidator(_from_json)


def _json_object(value: object, info: ValidationInfo) -> object:
    """Accept an object, also as JSON text from a form; refuse NaN and objects that are too long or too deep."""
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


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for part in inside for each in part]
        if not level:
            return False
    return True


def _where(value: object, info: ValidationInfo) -> object:
    """Accept an object, also as JSON text from a form; as ASCII it must fit a database's pattern."""
    try:
        parsed = nfc_json(_parsed(value, info))
        text = json.dumps(parsed, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("where must be a JSON object") from error
    if len(text) > LONGEST_WHERE:
        raise ValueError(f"where must have at most {LONGEST_WHERE} characters as JSON")
    if isinstance(parsed, dict) and any(isinstance(each, dict | list) for each in parsed.values()):
        raise ValueError("each value of where must be text, a number, true, false or null")
    return parsed


JsonObject = Annotated[
    dict[str, Any], BeforeValidator(_json_object), WithJsonSchema({"type": "object", "additionalProperties": True})
]
Where = Annotated[
    dict[str, StrictStr | StrictBool | StrictInt | StrictFloat | None],
    Field(
        max_length=20,
        description="Search only people whose metadata has these members with these values (text, number, true, null).",
        examples=[{"site": "Oslo"}],
    ),
    BeforeValidator(_where),
]


# Moments and consent

_MOMENT = TypeAdapter(AwareDatetime)


def _moment(value: object) -> object:
    """Parse text here: after a validator of ours pydantic no longer treats it as JSON, and accepts only a datetime."""
    try:
        return _MOMENT.validate_strings(value) if isinstance(value, str) else value
    except ValidationError as error:
        has_no_zone = error.errors(include_url=False)[0]["type"] == "timezone_aware"
        raise ValueError(ZONE_MISSING if has_no_zone else NOT_A_TIME) from error


def _within(moment: datetime) -> datetime:
    """Require a year that every database can store in UTC."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"the year must be from {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_within), BeforeValidator(_moment)]
_WRITTEN = re.compile(r"[0-9]{4}-.*", re.DOTALL)
_DECODED_PLUS = re.compile(r"[0-9] [0-9]{2}:?[0-9]{2}$")


def _no_number(value: object) -> object:
    """Refuse the seconds since 1970: everything in a query is text, and the document promises a date and a time."""
    if isinstance(value, str) and not _WRITTEN.match(value):
        raise ValueError(NOT_A_TIME)
    if isinstance(value, str) and _DECODED_PLUS.search(value):
        raise ValueError("has a space before its offset, because + in a query is a space; write %2B instead of +")
    return value


def _clamped(moment: datetime) -> datetime:
    """Return the nearest moment that every database can compare."""
    if moment.year < _FIRST_YEAR:
        return datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    return datetime(_LAST_YEAR, 1, 1, tzinfo=UTC) if moment.year > _LAST_YEAR else moment


QueryMoment = Annotated[AwareDatetime, AfterValidator(_clamped), BeforeValidator(_no_number)]
"""A moment in a query; any year can be asked for."""
LongText = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]


class ConsentSchema(StrictSchema):
    """The legal basis on which a person is enrolled."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"basis": "consent", "given_at": "2026-05-04T09:30:00Z", "reference": "F-17"}]},
    )

    basis: Annotated[Text, Field(description="For example consent, contract, legal_obligation.")]
    given_at: Moment
    text: Annotated[LongText | None, Field(description="The wording that the person consented to.")] = None
    expires_at: Annotated[Moment | None, Field(description="The consent is valid until then.")] = None
    reference: Annotated[Text | None, Field(description="Where the signed form is kept.")] = None

    def value(self) -> Consent:
        """Return the value."""
        return Consent(**dict(self))


# Settings of searches and enrollments

NetworkName = Annotated[
    str,
    StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"),
    Field(description="A network that the service runs: its `model`, or its pack's name (GET /models)."),
]
CollectionPath = Annotated[CollectionName, Path(description="Name of the collection.")]
Threshold = Annotated[
    float | None,
    Field(
        ge=-1,
        le=1,
        description="Decide by this similarity instead of by an error rate. Without scope `manage` it is rounded up to "
        "steps of 0.001, and not below the collection's own doubt range.",
    ),
]
WhichFace = Annotated[
    FaceChoice,
    Field(
        description="Face of a photo with several: `main` takes the main face and refuses the photo if another face is "
        "nearly as prominent, `largest` always takes the main face, `only` refuses the photo."
    ),
]
Liveness = Annotated[
    LivenessMode | None,
    Field(
        description="Detection of presentation attacks, such as prints and screens. `observe` states the verdict on "
        "each face. `enforce` also refuses attacks, and lets only live faces match. Null: the collection's setting. "
        "Less than that needs scope `manage`."
    ),
]
Landmarks = Annotated[bool, Field(description="False leaves the landmarks out of the answer.")]
Components = Annotated[bool, Field(description="False leaves the components of `quality` out of the answer.")]
OnDuplicate = Annotated[
    Reaction | None,
    Field(
        description="If faces look like another identity: `reject` (409), `flag` or `allow` them. "
        "Null: the stored setting."
    ),
]
OnMismatch = Annotated[
    Reaction | None,
    Field(
        description="If a face is unlike the identity's other faces: `reject` the photo, `flag` or `allow` it. "
        "Null: the stored setting."
    ),
]
