"""The OpenAPI document: bodies in both forms, errors as problem+json, nothing that FastAPI cannot know left out."""

import json
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.http.errors import MEDIA_TYPE
from app.api.http.permissions import is_open, needed
from app.api.schemas.answers import ProblemSchema
from app.api.schemas.migration import ReembedRequest, RollbackRequest, SwitchRequest
from app.api.schemas.requests import (
    DetectRequest,
    EmbedRequest,
    EnrollRequest,
    IdentifyRequest,
    JobRequest,
    SearchRequest,
    VerifyRequest,
)
from app.api.schemas.resources import CollectionChange, CollectionRequest, IdentityChange, MergeRequest, MoveRequest
from app.compreface import requests as compreface
from app.compreface.problems import PREFIX as COMPREFACE

_REF = "#/components/schemas/{model}"
_PROBLEMS = {
    400: "The body is empty or malformed.",
    401: "No API key, or one that is not known, has expired or was revoked.",
    403: "The API key lacks the scope, or is for other collections.",
    404: "The collection, identity or face is unknown.",
    408: "The body took too long to arrive.",
    409: "The collection belongs to another network, or what was asked for is not possible as things are.",
    412: "It was changed meanwhile: what is there is not what `If-Match` names.",
    413: "The body or a photo has too many bytes or pixels.",
    415: "The body is neither multipart/form-data nor JSON.",
    422: "A field does not fit, or a photo cannot be used; `code` says why.",
    429: "A rate or quota of the API key or the client's address is used up; try again after `Retry-After` seconds.",
    500: "The service failed; its log has the details.",
    503: "Too much is going on, the service stops, or the database is away; try again after `Retry-After` seconds.",
    507: "The disk of the database or of the data folder is full or cannot be written; nothing was enrolled.",
}

_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `arcid keys create`."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same, as a header."},
}


def problem_response(description: str) -> dict[str, Any]:
    """Return what a route says of one kind of error."""
    schema = {"$ref": _REF.format(model=ProblemSchema.__name__)}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: problem_response(description) for status, description in _PROBLEMS.items()
}


def body_as(schema: type[BaseModel]) -> dict[str, Any]:
    """Return what a route adds for a body that may be multipart or JSON."""
    form, as_json = (_REF.format(model=name) for name in (f"{schema.__name__}Form", schema.__name__))
    content = {"multipart/form-data": {"schema": {"$ref": form}}, "application/json": {"schema": {"$ref": as_json}}}
    return {"requestBody": {"required": True, "content": content}}


def json_body_as(schema: type[BaseModel]) -> dict[str, Any]:
    """Return what a route adds for a body that is JSON."""
    reference = {"$ref": _REF.format(model=schema.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return the complete document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            components = made.setdefault("components", {})
            components.setdefault("schemas", {}).update(_schemas())
            components["securitySchemes"] = _SECURITY_SCHEMES
            _describe_access(made["paths"])
            _leave_out_unused(made["paths"])
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # the way that FastAPI documents


def _describe_access(paths: dict[str, dict[str, Any]]) -> None:
    """Say of every operation whether it needs a key, and with which scope."""
    for path, operations in paths.items():
        for method, operation in operations.items():
            if is_open(path):
                operation["security"] = []
                continue
            operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
            scope = needed(method.upper(), path)
            needs = f"Needs a key with scope `{scope.value}`" if scope else "Needs any key"
            operation["description"] = f"{operation.get('description', '')}\n\n{needs}.".strip()
            for status in (401, 403, 429):
                operation["responses"].setdefault(str(status), PROBLEM_RESPONSES[status])


def _leave_out_unused(paths: dict[str, dict[str, Any]]) -> None:
    """CompreFace's routes answer 400 where others answer 422, which FastAPI adds to every route with parameters."""
    for path, operations in paths.items():
        if path.startswith(COMPREFACE):
            for operation in operations.values():
                operation["responses"].pop("422", None)


def _schemas() -> dict[str, Any]:
    requests: list[type[BaseModel]] = [
        EnrollRequest,
        VerifyRequest,
        IdentifyRequest,
        DetectRequest,
        EmbedRequest,
        JobRequest,
        *compreface.PHOTOS,
    ]
    json_only: list[type[BaseModel]] = [
        SearchRequest,
        CollectionRequest,
        CollectionChange,
        IdentityChange,
        MergeRequest,
        MoveRequest,
        *compreface.JSON_ONLY,
        ReembedRequest,
        SwitchRequest,
        RollbackRequest,
    ]
    modes: list[tuple[type[BaseModel], Literal["validation"]]] = [
        (each, "validation") for each in (*requests, *json_only)
    ]
    _, made = models_json_schema([*modes, (ProblemSchema, "validation")], ref_template=_REF)
    schemas: dict[str, Any] = made["$defs"]
    for each in requests:
        schemas[f"{each.__name__}Form"] = _as_form(schemas[each.__name__])
    return schemas


def _as_form(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the multipart form of a JSON body: photos are files, not base64, and what is null is not sent."""
    as_file = '"format": "binary"'  # for what _photo in app/api/schemas/requests.py says
    form: dict[str, Any] = json.loads(
        json.dumps(schema).replace('"format": "byte"', as_file).replace('"contentEncoding": "base64", ', "")
    )
    form.pop("examples", None)
    form["title"] += "Form"
    for name, each in form["properties"].items():
        options = [_of_text(option) for option in each.pop("anyOf", [each]) if option.get("type") != "null"]
        form["properties"][name] = {**each, **options[0]}
        if form["properties"][name].get("default", ...) is None:
            del form["properties"][name]["default"]
    return form


def _of_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a form's field may say; a truth value has many spellings."""
    if schema.get("type") != "boolean":
        return schema
    spelled = ["true", "True", "1", "on", "yes", "false", "False", "0", "off", "no"]
    return {**schema, "type": ["boolean", "string"], "enum": [True, False, *spelled]}
