"""One schema, two forms: a request's body as multipart/form-data with files, or as JSON with base64."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_origin

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import BodyEmpty, BodyMalformed, ContentTypeUnsupported, RequestInvalid

Schema = TypeVar("Schema", bound=BaseModel)

_MOST_FIELDS = 20
_LONGEST_FIELD = 100_000  # bytes of a field that is no file


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
        elif content_type == "application/json" or content_type.endswith("+json"):
            fields = await _json(request)
        elif not content_type and not await request.body():
            raise BodyEmpty("the request has no body")
        else:
            raise ContentTypeUnsupported("send multipart/form-data with files, or application/json with base64")
        return _validated(request, schema, fields)

    return read


def json_of(schema: type[Schema]) -> Callable[[Request], Awaitable[Schema]]:
    """Return a dependency that reads `schema` from JSON; it raises as that of `body_of`."""

    async def read(request: Request) -> Schema:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type and content_type != "application/json" and not content_type.endswith("+json"):
            raise ContentTypeUnsupported("send application/json")
        fields = await _json(request)
        if not content_type:
            raise ContentTypeUnsupported("send application/json")
        return _validated(request, schema, fields)

    return read


async def _json(request: Request) -> dict[str, Any]:
    body = await request.body()
    if not body:
        raise BodyEmpty("the request has no body")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyMalformed("the body is not valid JSON") from error
    if not isinstance(fields, dict):
        raise RequestInvalid("the body must be a JSON object")
    return fields


async def _multipart(request: Request, schema: type[BaseModel], most_files: int) -> dict[str, Any]:
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=most_files,
        max_fields=_MOST_FIELDS,
        max_part_size=_LONGEST_FIELD,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise BodyMalformed(f"the body is not valid multipart/form-data: {error}") from error
    try:
        return {name: await _value(form, name, schema) for name in form}
    finally:
        await form.close()


async def _value(form: FormData, name: str, schema: type[BaseModel]) -> object:
    values = [await part.read() if isinstance(part, UploadFile) else part for part in form.getlist(name)]
    field = schema.model_fields.get(name)
    return values if field is not None and get_origin(field.annotation) is list else values[-1]


def _validated(request: Request, schema: type[Schema], fields: dict[str, Any]) -> Schema:
    try:
        value = schema.model_validate(fields)
    except ValidationError as error:
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
