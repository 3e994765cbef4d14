"""One schema, two forms: a request's body as multipart/form-data with files, or as JSON with base64."""

import codecs
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_origin

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import BodyEmpty, BodyMalformed, ContentTypeUnsupported, RequestInvalid

Schema = TypeVar("Schema", bound=BaseModel)

_MOST_FIELDS = 100
_LONGEST_FIELD = 100_000  # bytes of a field that is no file
# Far more than any request holds within its fields' limits. Each takes a hundred bytes or more once parsed, and as
# many again when it is wrong.
_MOST_VALUES = 20_000
_WRONG_KIND = {"model_type": "object", "list_type": "array"}


def body_of(schema: type[Schema], *, most_files: int) -> Callable[[Request], Awaitable[Schema]]:
    """Return a dependency that reads `schema` from either form.

    Raises Overloaded and ShuttingDown before anything is read; BodyEmpty, BodyMalformed, ContentTypeUnsupported,
    RequestInvalid with the fields that are wrong, or CollectionForbidden when it names a `collection` that the key is
    not for.
    """

    async def read(request: Request) -> Schema:
        request.app.state.admission.require_room()
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.headers.get("content-length") == "0":
            raise BodyEmpty("the request has no body")
        if content_type == "multipart/form-data":
            fields = await _multipart(request, schema, most_files)
            return _validated(request, lambda: schema.model_validate(fields))
        if content_type == "application/json" or content_type.endswith("+json"):
            return await _json(request, schema)
        if not content_type and not await request.body():
            raise BodyEmpty("the request has no body")
        raise ContentTypeUnsupported("send multipart/form-data with files, or application/json with base64")

    return read


def json_of(schema: type[Schema]) -> Callable[[Request], Awaitable[Schema]]:
    """Return a dependency that reads `schema` from JSON; it raises as that of `body_of`.

    A RootModel is read from an array, every other schema from an object.
    """

    async def read(request: Request) -> Schema:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type and content_type != "application/json" and not content_type.endswith("+json"):
            raise ContentTypeUnsupported("send application/json")
        if not content_type and await request.body():
            raise ContentTypeUnsupported("send application/json")
        return await _json(request, schema)

    return read


async def _json(request: Request, schema: type[Schema]) -> Schema:
    """Read JSON as it says: a number is no text and a truth value no number, as in the document."""
    body = await json_text(request)
    return _validated(request, lambda: schema.model_validate_json(body, strict=True))


async def json_text(request: Request) -> bytes:
    """Return a body of JSON that is small enough to parse; raises BodyEmpty, RequestInvalid."""
    body = (await request.body()).removeprefix(codecs.BOM_UTF8)
    if not body:
        raise BodyEmpty("the request has no body")
    if body.count(b",") >= _MOST_VALUES:  # those in texts count, too: no text may have so many
        raise RequestInvalid(f"the body holds more than {_MOST_VALUES:,} values")
    return body


async def form_of(request: Request, most_files: int) -> FormData:
    """Return a body of multipart/form-data, which is parsed once for a request; raises BodyMalformed."""
    kept: FormData | None = getattr(request.state, "form", None)
    if kept is None:
        kept = request.state.form = await _parsed_form(request, most_files)
    return kept


async def _parsed_form(request: Request, most_files: int) -> FormData:
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=most_files,
        max_fields=_MOST_FIELDS,
        max_part_size=_LONGEST_FIELD,
    )
    try:
        return await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise BodyMalformed(f"the body is not valid multipart/form-data: {error}") from error


async def _multipart(request: Request, schema: type[BaseModel], most_files: int) -> dict[str, Any]:
    form = await form_of(request, most_files)
    try:
        return {name: await _value(form, name, schema) for name in form}
    finally:
        await form.close()


async def _value(form: FormData, name: str, schema: type[BaseModel]) -> object:
    values = [await part.read() if isinstance(part, UploadFile) else part for part in form.getlist(name)]
    field = schema.model_fields.get(name)
    return values if field is not None and get_origin(field.annotation) is list else values[-1]


def _validated(request: Request, validate: Callable[[], Schema]) -> Schema:
    try:
        value = validate()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise BodyMalformed("the body is not valid JSON") from error
        if not first["loc"] and first["type"] in _WRONG_KIND:
            raise RequestInvalid(f"the body must be a JSON {_WRONG_KIND[first['type']]}") from error
        raise RequestInvalid("the request does not fit its schema", _fields(error)) from error
    collection = getattr(value, "collection", None)
    if collection is not None:
        request.state.principal.require_collection(collection)
    return value


def _fields(error: ValidationError) -> list[dict[str, str]]:
    return [
        {"field": ".".join(str(part) for part in each["loc"]) or "body", "detail": each["msg"]}
        for each in error.errors(include_url=False, include_input=False)
    ]
