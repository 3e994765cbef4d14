"""Request bodies in the OpenAPI document: the form with files, and the same fields as JSON with base64."""

import json
from typing import Any, Literal

from fastapi.routing import RouteContext
from pydantic.json_schema import models_json_schema

from app.api.http.body import Body
from app.api.schemas.problem import ProblemSchema

REF = "#/components/schemas/{model}"
JSON_BODY = "x-json-body"
"""Extension of a form: the schema of the same fields as JSON.

The form is the only content that is described. Generators choose one content of a body, and those for TypeScript
would choose JSON, in which a photo is base64 text instead of a file.
"""
Operations = list[tuple[RouteContext, dict[str, Any]]]
_SPELLED_BOOLEAN = "^([Tt]rue|1|on|yes|[Ff]alse|0|off|no)$"
_RULES = ("oneOf", "anyOf")


def describe_bodies(operations: Operations) -> dict[str, Any]:
    """Add to every operation the body that its route reads; return the schemas of bodies and errors."""
    bodies = [(body, operation) for route, operation in operations if (body := _body_of(route))]
    models: list[tuple[Any, Literal["validation"]]] = [
        (each, "validation") for each in (*{body.schema: None for body, _ in bodies}, ProblemSchema)
    ]
    _, made = models_json_schema(models, ref_template=REF)
    schemas = {name: _with_all_rules(_with_worded_defaults(schema)) for name, schema in made["$defs"].items()}
    forms: dict[str, Any] = {}
    for body, operation in bodies:
        name = body.schema.__name__
        if body.is_form:
            forms[name] = schemas[name]
            _describe_form(operation, f"{name}Form", schemas[name])
        else:
            operation["requestBody"] = _content("application/json", name)
    described = {name: schema for name, schema in schemas.items() if name not in forms}
    return described | {f"{name}Form": _as_form(schema) for name, schema in forms.items()}


def _describe_form(operation: dict[str, Any], name: str, as_json: dict[str, Any]) -> None:
    operation["requestBody"] = {**_content("multipart/form-data", name), JSON_BODY: {"schema": as_json}}
    operation["description"] += "\n\nThe same fields are accepted as JSON, with base64 in place of files."


def _content(media_type: str, model: str) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": {"$ref": REF.format(model=model)}}}}


def _body_of(route: RouteContext) -> Body[Any] | None:
    """Return the dependency that reads a route's body."""
    return next((each.call for each in route.dependant.dependencies if isinstance(each.call, Body)), None)


def _with_all_rules(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its `oneOf` or `anyOf` in `allOf`: generators of clients ignore `properties` next to it."""
    rules = [{name: schema[name]} for name in _RULES if name in schema]
    if not rules or "properties" not in schema:
        return schema
    others = {name: value for name, value in schema.items() if name not in _RULES}
    return {**others, "allOf": [*schema.get("allOf", []), *rules]}


def _with_worded_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its defaults in descriptions: openapi-typescript requires fields that have a `default`."""
    properties = {name: dict(each) for name, each in schema.get("properties", {}).items()}
    for each in properties.values():
        default = each.pop("default", None)
        if default is not None:
            written = json.dumps(default).strip('"')
            each["description"] = f"{each.get('description', '')} Default: `{written}`.".strip()
    return {**schema, "properties": properties} if properties else schema


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
    return form


def _of_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a form's field; a boolean has many spellings.

    They are a pattern, because generators of clients cannot name the members of an enum that differ only in case.
    """
    if schema.get("type") != "boolean":
        return schema
    others = {name: value for name, value in schema.items() if name != "type"}
    return {**others, "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": _SPELLED_BOOLEAN}]}
