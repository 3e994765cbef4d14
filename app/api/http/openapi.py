"""The OpenAPI document, with everything that FastAPI cannot know: bodies, errors, scopes, and the names of operations.

It is written for generators of clients: what one of them cannot read is described in another way.
"""

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.api.http.errors import MEDIA_TYPE
from app.api.http.openapi_bodies import REF, Operations, describe_bodies
from app.api.http.permissions import declared, is_open
from app.api.http.versions import VERSION
from app.api.schemas.problem import ProblemSchema

_PROBLEMS = {
    400: "The body is empty or malformed.",
    401: "No API key, or one that is not known, has expired or was revoked.",
    403: "The API key lacks the scope, or is for other collections.",
    404: "The collection, identity or face is unknown.",
    408: "The body took too long to arrive.",
    409: "The collection uses another network, or the current state does not allow the request.",
    412: "The resource has changed: its version is not the one in `If-Match`.",
    413: "The body or a photo has too many bytes or pixels.",
    415: "The body is neither multipart/form-data nor JSON.",
    422: "A field is invalid, or a photo cannot be used; `code` is the reason.",
    429: "A rate or quota of the API key or the client's address is used up; try again after `Retry-After` seconds.",
    500: "The service failed; its log has the details.",
    503: "The service is overloaded or stops, or the database does not answer; try again after `Retry-After` seconds.",
    507: "The disk of the database or of the data folder is full or cannot be written; nothing was enrolled.",
}

_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `arcid keys create`."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The API key in `X-Api-Key`."},
}


LICENCE = {"name": "Apache 2.0", "identifier": "Apache-2.0"}
TAGS = [
    {"name": "recognition", "description": "Enroll people, and find out who is in a photo."},
    {"name": "collections", "description": "Isolated galleries, and the network that each of them uses."},
    {"name": "gallery", "description": "The people and faces of a collection."},
    {"name": "cameras", "description": "Cameras that the service watches, and frames that clients post."},
    {"name": "jobs", "description": "Imports, exports and other long work."},
    {"name": "events", "description": "Sightings and other events, and rules for them."},
    {"name": "administration", "description": "API keys, sign-in of people, and the audit trail."},
    {"name": "status", "description": "State of the service."},
    {"name": "compreface", "description": "CompreFace's API, for its clients."},
    {"name": "deepface", "description": "DeepFace's API, for its clients."},
]
_OTHERS = frozenset({"compreface", "deepface"})  # tags of other APIs, whose names our operations may have, too
_BINARY = {"type": "string", "format": "binary"}


def problem_response(description: str) -> dict[str, Any]:
    """Return the description of one kind of error."""
    schema = {"$ref": REF.format(model=ProblemSchema.__name__)}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: problem_response(description) for status, description in _PROBLEMS.items()
}


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation, which generated clients give to its method: `getFace`, `comprefaceVerify`."""
    words = [*(str(tag) for tag in route.tags if tag in _OTHERS), *route.name.split("_")]
    return words[0] + "".join(map(str.capitalize, words[1:]))


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return the complete document, and serve it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    async def served(request: Request) -> JSONResponse:
        prefix = request.scope.get("root_path", "").removesuffix(VERSION)
        return JSONResponse({**document(), "servers": [_server(prefix)]})

    app.openapi = document  # type: ignore[method-assign] # as FastAPI documents
    app.add_route("/openapi.json", served, include_in_schema=False)


def _document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        license_info=LICENCE,
        servers=[_server("")],
        tags=TAGS,
        routes=app.routes,
    )
    routes = _operations(app, made["paths"])
    for route, operation in routes:
        _describe_access(route, operation)
        _describe_answers(operation)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own
        schemas.pop(unused, None)
    schemas.update(describe_bodies(routes))
    made["components"]["securitySchemes"] = _SECURITY_SCHEMES
    return made


def _server(prefix: str) -> dict[str, str]:
    return {"url": prefix + VERSION, "description": "This service, in the stable version of its API."}


def _operations(app: FastAPI, paths: dict[str, Any]) -> Operations:
    """Return the documented routes, each with its operation in the document."""
    documented = [(each, paths.get(str(each.path_format), {})) for each in iter_route_contexts(app.routes)]
    return [
        (route, operations[method.lower()])
        for route, operations in documented
        for method in route.methods or ()
        if method.lower() in operations
    ]


def _describe_access(route: RouteContext, operation: dict[str, Any]) -> None:
    """Add to an operation whether it needs a key, and the scope."""
    if is_open(str(route.path_format)):
        operation["security"] = []
        return
    operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
    scope = declared(route).scope
    needs = f"Needs a key with scope `{scope.value}`" if scope else "Needs any key"
    operation["description"] = f"{operation.get('description', '')}\n\n{needs}.".strip()
    for status in (401, 403, 429):
        operation["responses"].setdefault(str(status), PROBLEM_RESPONSES[status])


def _describe_answers(operation: dict[str, Any]) -> None:
    """Describe answers in the words of OpenAPI 3.1, and so that generators of clients know each media type.

    FastAPI adds a 422 to routes with parameters: ours is another, or (in the form of another API) 400. It describes
    events as OpenAPI 3.2 does. A file is also described as `application/octet-stream`, the only binary type that
    openapi-python-client reads.
    """
    answers = operation["responses"]
    if "HTTPValidationError" in json.dumps(answers.get("422", {})):
        del answers["422"]
    for answer in answers.values():
        content = answer.get("content", {})
        for media_type, described in list(content.items()):
            if "itemSchema" in described:
                content[media_type] = {"schema": {"type": "string"}}
            elif described.get("schema") == _BINARY:
                content.setdefault("application/octet-stream", {"schema": _BINARY})
