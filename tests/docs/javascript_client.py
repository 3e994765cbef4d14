"""The OpenAPI document of the JavaScript client, clients/javascript/openapi.json, from which its types are generated.

It has the routes of the API without CompreFace's, DeepFace's, /metrics and those with which pages sign in. It has no
errors: the client reads those itself.
"""

import json
import re
from typing import Any

from app.config import PROJECT

DOCUMENT = PROJECT / "clients" / "javascript" / "openapi.json"
_CAMERAS = r"cameras.*|watch/.*"
_DELIVERY = r"destinations.*"  # arcid destinations
_REVIEWS = r"collections/\{collection\}/(groups|unknown-faces|reviews).*"  # on the page
LEFT_OUT = re.compile(rf"/(api/v1/.*|deepface/.*|sign-in.*|sessions.*|metrics|{_DELIVERY}|{_CAMERAS}|{_REVIEWS})")
_ALSO = ("ProblemSchema", "FieldErrorSchema")  # of the error answers


def rendered(openapi: dict[str, Any]) -> str:
    """Return the document as JSON, one member a line, so that changes are readable."""
    paths = {
        path: {method: _reduced(route) for method, route in methods.items()}
        for path, methods in openapi["paths"].items()
        if not LEFT_OUT.fullmatch(path)
    }
    known = openapi["components"]["schemas"]
    used: dict[str, Any] = {}
    pending = [*_ALSO, *_references(paths)]
    while pending:
        name = pending.pop()
        if name not in used:
            used[name] = known[name]
            pending += _references(known[name])
    schemas = {name: schema for name, schema in known.items() if name in used}
    info = {"title": openapi["info"]["title"], "version": "v1"}
    document = {"openapi": openapi["openapi"], "info": info, "paths": paths, "components": {"schemas": schemas}}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _reduced(route: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        name: route[name] for name in ("operationId", "summary", "parameters", "requestBody") if name in route
    }
    answers = {status: answer for status, answer in route["responses"].items() if status < "300"}
    without_headers = {
        status: {name: value for name, value in answer.items() if name != "headers"}
        for status, answer in answers.items()
    }
    return kept | {"responses": without_headers}


def _references(part: Any) -> list[str]:
    return re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part))
