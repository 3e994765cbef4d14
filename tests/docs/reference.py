"""docs/openapi.md, generated from the OpenAPI document by `python -m tests.docs.reference` (make docs).

It also writes the document of the JavaScript client.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.config import PROJECT, read_settings
from app.main import create_app
from tests.docs import javascript_client

PAGE = PROJECT / "docs" / "openapi.md"
_HEAD = """# Every field

Look up a request or answer field by field. [API](api.md) explains the routes with examples, and `/docs` of a running
service has forms to try them. This page is generated from the OpenAPI document (`/openapi.json`).

Required fields are **bold**. All errors are [problems](api.md#errors) (`ProblemSchema`; under `/api/v1/`
`CompreFaceError`, under `/deepface/` `DeepFaceError`).
"""
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "maxProperties": "at most {} members",
    "pattern": "`{}`",
    "without": "without `{}`",
}
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def document() -> dict[str, Any]:
    """Return the OpenAPI document, which does not depend on settings."""
    with tempfile.TemporaryDirectory() as folder:
        return create_app(read_settings(data_dir=Path(folder), models_dir=PROJECT / ".data")).openapi()


def rendered(openapi: dict[str, Any]) -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_routes(openapi["paths"]), "## Schemas\n", *_schemas(openapi["components"]["schemas"])])


def _routes(paths: dict[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, route in methods.items():
            yield f"## {method.upper()} {path}\n"
            yield f"{route['description']}\n"
            yield from _table((each["name"], each, each.get("required")) for each in route.get("parameters", ()))
            body = route.get("requestBody", {})
            for kind, content in body.get("content", {}).items():
                yield f"Request body, {kind}: {_kind(content['schema'])}\n"
            if "x-json-body" in body:
                yield "Request body, application/json: the same fields, with base64 in place of files\n"
            for status, answer in route["responses"].items():
                if status < "300":
                    schemas = {_kind(each.get("schema", {})): None for each in answer.get("content", {}).values()}
                    yield f"Answer {status}{': ' if any(schemas) else ''}{' or '.join(filter(None, schemas))}\n"


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        yield f"### {name}\n"
        if about := _line(schema.get("description", "")):
            yield f"{about}\n"
        if "enum" in schema:
            yield f"One of {_values(schema['enum'])}.\n"
        required = schema.get("required", ())
        fields = schema.get("properties", {}).items()
        yield from _table((each, {"schema": field, **field}, each in required) for each, field in fields)


def _table(fields: Iterator[tuple[str, dict[str, Any], Any]]) -> Iterator[str]:
    rows = [f"| {_name(name, needed)} | {_kind(field['schema'])} | {_about(field)} |" for name, field, needed in fields]
    if rows:
        yield "\n".join(["| field | type | meaning |", "|---|---|---|", *rows, ""])


def _name(name: str, is_required: Any) -> str:
    return f"**`{name}`**" if is_required else f"`{name}`"


def _kind(schema: dict[str, Any]) -> str:
    """Describe a type in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_kind, schema["anyOf"])))
    if "const" in schema or "enum" in schema:
        return _values(schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {})) or 'values'}{_bounds(schema)}"
    return f"{_word(schema)}{_bounds(schema)}"


def _word(schema: dict[str, Any]) -> str:
    if schema.get("format") == "binary" or schema.get("contentMediaType"):
        return "file"
    kind: str = schema.get("format") or schema.get("contentEncoding") or schema.get("type", "")
    return _WORDS.get(kind, kind)


def _bounds(schema: dict[str, Any]) -> str:
    given = {**schema, "without": schema.get("not", {}).get("pattern")}
    bounds = [
        words.format(str(given[name]).replace("|", "\\|"))
        for name, words in _BOUNDS.items()
        if given.get(name) is not None
    ]
    return f" ({', '.join(bounds)})" if bounds else ""


def _values(values: list[Any]) -> str:
    return ", ".join(f"`{each}`" for each in values)


def _about(field: dict[str, Any]) -> str:
    default = field["schema"].get("default")
    about = _line(field.get("description") or field["schema"].get("description", ""))
    return f"{about} Default: `{default}`".strip() if default is not None else about


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    openapi = document()
    PAGE.write_text(rendered(openapi), "utf-8")
    javascript_client.DOCUMENT.write_text(javascript_client.rendered(openapi), "utf-8")
