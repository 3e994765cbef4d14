"""Request bodies: one schema, read from multipart/form-data with files or from JSON with base64."""

import codecs
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from fastapi import Request
from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.api.http.deprecation import deprecate
from app.api.http.field_names import meant
from app.api.http.request_notes import note_collection
from app.api.http.utf8 import text_of
from app.api.schemas.wording import ONE_OF, summary, worded
from app.errors import BodyEmpty, BodyMalformed, ContentTypeUnsupported, RequestInvalid

Schema = TypeVar("Schema", bound=BaseModel)

_MOST_FIELDS = 100
_LONGEST_FIELD = 100_000  # bytes of a field that is not a file
# Far more than any valid request holds. A parsed value takes a hundred bytes or more, and twice that if it is invalid.
_MOST_VALUES = 20_000
FORM_OR_JSON = (
    "send multipart/form-data with files (curl -F photo=@visitor.jpg), or base64 in JSON with "
    "Content-Type: application/json"
)
FILE_FIELDS = frozenset(
    {"photo", "photos", "frames", "probe", "reference", "file", "source_image", "target_image", "img", "img1", "img2"}
)
"""Fields that hold files in every schema. A part with one of these names is a file, even without a file name."""
_LOOKED_AT = 1000
_NOTHING_LIKE_TEXT = (b"<", b"%", b"{")
_WRONG_KIND = {"model_type": "object", "list_type": "array"}


class Body(Generic[Schema]):
    """Dependency that reads a request's body as `schema`; the OpenAPI document describes the body by it."""

    is_form: ClassVar[bool] = False

    def __init__(self, schema: type[Schema]) -> None:
        self.schema = schema


class JsonBody(Body[Schema]):
    """Dependency that reads a body of JSON: a RootModel from an array, every other schema from an object."""

    async def __call__(self, request: Request) -> Schema:
        """Return the body.

        Raises BodyEmpty, BodyMalformed, ContentTypeUnsupported, RequestInvalid with the invalid fields, and
        CollectionForbidden if it names a `collection` that the key is not for.
        """
        content_type = media_type(request)
        if not _is_json(content_type) and (content_type or await request.body()):
            raise ContentTypeUnsupported(f"{_shown(content_type)}; send JSON with Content-Type: application/json")
        return await _json(request, self.schema)


class FormBody(Body[Schema]):
    """Dependency that reads a body in either form: multipart/form-data with files, or JSON with base64."""

    is_form = True

    def __init__(self, schema: type[Schema], *, most_files: int = 1) -> None:
        super().__init__(schema)
        self._most_files = most_files

    async def __call__(self, request: Request) -> Schema:
        """Return the body; raises as JsonBody, and Overloaded or ShuttingDown before anything is read."""
        request.app.state.admission.require_room()
        content_type = media_type(request)
        if request.headers.get("content-length") == "0":
            raise BodyEmpty
        if content_type == "multipart/form-data":
            fields, empty = await _multipart(request, self.schema, self._most_files)
            return _validated(
                request, self.schema, lambda former: self.schema.model_validate(fields, context=former), empty
            )
        if _is_json(content_type):
            return await _json(request, self.schema)
        if not content_type and not await request.body():
            raise BodyEmpty
        raise ContentTypeUnsupported(f"{_shown(content_type)}; {FORM_OR_JSON}")


def media_type(request: Request) -> str:
    """Return the media type of a body in lower case, without parameters; empty without a Content-Type."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _shown(content_type: str) -> str:
    return f"the body is {content_type[:100]}" if content_type else "the body has no Content-Type"


async def _json(request: Request, schema: type[Schema]) -> Schema:
    """Parse JSON strictly: no coercion between strings, numbers and booleans."""
    body = await json_text(request)
    return _validated(request, schema, lambda former: schema.model_validate_json(body, strict=True, context=former))


async def json_text(request: Request) -> bytes:
    """Return a JSON body. Raises BodyEmpty, and RequestInvalid if it has too many values to parse."""
    body = (await request.body()).removeprefix(codecs.BOM_UTF8)
    if not body:
        raise BodyEmpty
    if body.count(b",") >= _MOST_VALUES:  # counts commas in texts too; no text may have that many
        raise RequestInvalid(f"the body holds more than {_MOST_VALUES:,} values")
    return body


async def form_of(request: Request, most_files: int) -> FormData:
    """Return the body as multipart/form-data; a request's body is parsed once.

    Raises BodyMalformed, and RequestInvalid if a field is not UTF-8 or there are too many files.
    """
    kept: FormData | None = getattr(request.state, "form", None)
    if kept is None:
        kept = request.state.form = await _parsed_form(request, most_files)
    return kept


class _Parser(MultiPartParser):
    """Parser that requires the closing boundary and UTF-8, and accepts files without `filename` (it is empty then)."""

    is_closed = False

    async def parse(self) -> FormData:
        """Parse the form; raises RequestInvalid if a field is not UTF-8."""
        form = await super().parse()
        if not self.is_closed:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("the closing boundary is missing, so the body may be incomplete")
        return form

    def on_end(self) -> None:
        """Note that the closing boundary was read."""
        self.is_closed = True

    def on_part_end(self) -> None:
        """Check that a field is UTF-8; the parent class would read other bytes as Latin-1."""
        if self._current_part.file is None:
            text_of(self._current_part.data, self._current_part.field_name)
        super().on_part_end()

    def on_headers_finished(self) -> None:
        """Turn parts that are meant as files into files."""
        part = self._current_part
        disposition = part.content_disposition or b""
        options = parse_options_header(disposition)[1]
        name = options.get(b"name", b"")
        text_of(name, name[:100].decode(errors="replace"))
        self._charset = "utf-8"  # whatever `charset` of the Content-Type declares
        if b"filename" not in options and self._is_file(name, disposition, part.item_headers):
            part.content_disposition = disposition + b'; filename=""'
        super().on_headers_finished()

    def _is_file(self, name: bytes, disposition: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
        media_type = dict(headers).get(b"content-type", b"text/plain").partition(b";")[0].strip().lower()
        is_text = media_type.startswith(b"text/") or media_type.endswith(b"json")
        return not is_text or b"filename*=" in disposition.lower() or name.decode("latin-1") in FILE_FIELDS


async def _parsed_form(request: Request, most_files: int) -> FormData:
    parser = _Parser(
        request.headers,
        request.stream(),
        max_files=most_files,
        max_fields=_MOST_FIELDS,
        max_part_size=_LONGEST_FIELD,
    )
    try:
        return await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        if "boundary=" not in request.headers["content-type"]:
            raise BodyMalformed(
                "the Content-Type multipart/form-data has no boundary; leave that header to the HTTP client"
            ) from error
        if str(error).startswith("Too many files"):
            raise RequestInvalid(f"the form holds more than {most_files} files") from error
        raise BodyMalformed(f"the body is not valid multipart/form-data: {error}") from error


async def _multipart(
    request: Request, schema: type[BaseModel], most_files: int
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the fields of a form that are not empty, and the names of those that are."""
    form = await form_of(request, most_files)
    try:
        given = {name: [value for part in form.getlist(name) if (value := await _content(part)) != ""] for name in form}
    finally:
        await form.close()
    fields = {name: values if _is_list(schema, name) else values[-1] for name, values in given.items() if values}
    return fields, frozenset(given.keys() - fields.keys())


def _is_list(schema: type[BaseModel], name: str) -> bool:
    field = schema.model_fields.get(name)
    if field is None:
        return False
    kinds = (field.annotation, *get_args(field.annotation))
    return any(get_origin(each) is list for each in kinds)


async def _content(part: UploadFile | str) -> str | bytes:
    """Return a field's text or a file's bytes; for a file without a name its text, if it is text."""
    if isinstance(part, str):
        return part
    data = await part.read()
    if part.filename or not data.isascii() or data.lstrip().startswith(_NOTHING_LIKE_TEXT):
        return data
    text = data.decode("ascii")
    return text if all(each.isprintable() or each.isspace() for each in text[:_LOOKED_AT]) else data


def _validated(
    request: Request,
    schema: type[Schema],
    validate: Callable[[list[str]], Schema],
    empty: Collection[str] = (),
) -> Schema:
    """Return a valid body; `validate` adds the deprecated names that it contains to a list.

    `empty` are the fields of a form that were sent without a value.
    """
    former: list[str] = []
    try:
        value = validate(former)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            why = first["msg"].removeprefix("Invalid JSON: ")
            raise BodyMalformed(f"the body is not valid JSON in UTF-8: {why}") from error
        if not first["loc"] and first["type"] in _WRONG_KIND:
            raise RequestInvalid(f"the body must be a JSON {_WRONG_KIND[first['type']]}") from error
        fields = _fields(error, schema, empty)
        raise RequestInvalid(summary(fields), fields) from error
    deprecate(request.scope, former)
    collection = getattr(value, "collection", None)
    if collection is not None:
        request.state.principal.require_collection(collection)
        note_collection(request.scope, collection)
    return value


def _fields(error: ValidationError, schema: type[BaseModel], empty: Collection[str]) -> list[dict[str, str]]:
    return [_field(each, schema, empty) for each in error.errors(include_url=False)]


def _field(error: Mapping[str, Any], schema: type[BaseModel], empty: Collection[str]) -> dict[str, str]:
    location, detail = error["loc"], worded(error)
    if error["type"] == "extra_forbidden" and len(location) == 1:
        detail = _unknown(str(location[0]), schema)
    if not location and detail.startswith(ONE_OF):
        names = detail.removeprefix(ONE_OF).split(", ")
        is_sent = any(name in error["input"] for name in names)
        if unfilled := [name for name in names if name in empty and not is_sent]:
            return {"field": unfilled[0], "detail": f"is empty; {detail}"}
    return {"field": ".".join(str(part) for part in location) or "body", "detail": detail}


def _unknown(name: str, schema: type[BaseModel]) -> str:
    """Return the message for an unknown field: the field that is probably meant, and all fields."""
    known = list(schema.model_fields)
    nearest = meant(name, known)
    hint = f"did you mean {nearest}? " if nearest else ""
    return f"unknown field; {hint}known are {', '.join(known)}"
