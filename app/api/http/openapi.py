"""The OpenAPI document, with everything that FastAPI cannot know: bodies in both forms, errors, scopes."""

import json
from collections.abc import Iterable
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic.json_schema import models_json_schema

from app.api.http.body import Body
from app.api.http.errors import MEDIA_TYPE
from app.api.http.permissions import declared, is_open
from app.api.schemas.problem import ProblemSchema

Operations = list[tuple[RouteContext, dict[str, Any]]]
_REF = "#/components/schemas/{model}"
_SPELLED_BOOLEAN = "^([Tt]rue|1|on|yes|[Ff]alse|0|off|no)$"
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


def problem_response(description: str) -> dict[str, Any]:
    """Return the description of one kind of error."""
    schema = {"$ref": _REF.format(model=ProblemSchema.__name__)}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: problem_response(description) for status, description in _PROBLEMS.items()
}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return the complete document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            routes = _operations(app, made["paths"])
            _describe_access(routes)
            _describe_bodies(routes)
            _leave_out_unused(routes)
            components = made.setdefault("components", {})
            components.setdefault("schemas", {}).update(_schemas(_body(route) for route, _ in routes))
            components["securitySchemes"] = _SECURITY_SCHEMES
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # as FastAPI documents


def _operations(app: FastAPI, paths: dict[str, Any]) -> Operations:
    """Return the documented routes, each with its operation in the document."""
    documented = [(each, paths.get(str(each.path_format), {})) for each in iter_route_contexts(app.routes)]
    return [
        (route, operations[method.lower()])
        for route, operations in documented
        for method in route.methods or ()
        if method.lower() in operations
    ]


def _describe_access(operations: Operations) -> None:
    """Add to every operation whether it needs a key, and the scope."""
    for route, operation in operations:
        if is_open(str(route.path_format)):
            operation["security"] = []
            continue
        operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
        scope = declared(route).scope
        needs = f"Needs a key with scope `{scope.value}`" if scope else "Needs any key"
        operation["description"] = f"{operation.get('description', '')}\n\n{needs}.".strip()
        for status in (401, 403, 429):
            operation["responses"].setdefault(str(status), PROBLEM_RESPONSES[status])


def _describe_bodies(operations: Operations) -> None:
    """Add to every operation the body that its route reads."""
    for route, operation in operations:
        if body := _body(route):
            name = body.schema.__name__
            kinds = {"multipart/form-data": f"{name}Form"} if body.is_form else {}
            kinds["application/json"] = name
            content = {kind: {"schema": {"$ref": _REF.format(model=model)}} for kind, model in kinds.items()}
            operation["requestBody"] = {"required": True, "content": content}


def _body(route: RouteContext) -> Body[Any] | None:
    """Return the dependency that reads a route's body."""
    return next((each.call for each in route.dependant.dependencies if isinstance(each.call, Body)), None)


def _leave_out_unused(operations: Operations) -> None:
    """Remove the 422 that FastAPI adds to routes with parameters: ours is another, or (in CompreFace's form) 400."""
    for _, operation in operations:
        if "HTTPValidationError" in json.dumps(operation["responses"].get("422", {})):
            del operation["responses"]["422"]


def _schemas(bodies: Iterable[Body[Any] | None]) -> dict[str, Any]:
    is_form = {body.schema: body.is_form for body in bodies if body is not None}
    models: list[tuple[Any, Literal["validation"]]] = [(each, "validation") for each in (*is_form, ProblemSchema)]
    _, made = models_json_schema(models, ref_template=_REF)
    schemas: dict[str, Any] = {name: _with_all_rules(schema) for name, schema in made["$defs"].items()}
    for schema in (each for each, has_form in is_form.items() if has_form):
        schemas[f"{schema.__name__}Form"] = _as_form(schemas[schema.__name__])
    return schemas


def _with_all_rules(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its `oneOf` in `allOf`: generators of clients ignore `properties` next to `oneOf`."""
    rules = schema.get("oneOf")
    if rules is None or "properties" not in schema:
        return schema
    others = {name: value for name, value in schema.items() if name != "oneOf"}
    return {**others, "allOf": [*schema.get("allOf", []), {"oneOf": rules}]}


def _as_form(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the multipart form of a JSON body: photos are files instead of base64, and null is left out."""
    as_file = '"format": "binary"'
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
    """Return the schema of a form's field; a boolean has many spellings.

    They are a pattern, because generators of clients cannot name the members of an enum that differ only in case.
    """
    if schema.get("type") != "boolean":
        return schema
    others = {name: value for name, value in schema.items() if name != "type"}
    return {**others, "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": _SPELLED_BOOLEAN}]}
