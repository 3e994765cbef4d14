"""Hooks for schemathesis: photos with faces, and rejections of valid requests that no schema can predict."""

import base64
import importlib.util
import io
import itertools
import json
import os
import random
from pathlib import Path

import schemathesis
from hypothesis import strategies as st
from PIL import Image

SEMANTIC = {
    "cursor": "no schema says which cursors were given",
    "embedding": "its length is that of the collection's network",
    "index": "which indexes there are depends on the installation",
    "detector": "which detectors there are depends on the installation",
    "model": "likewise which networks are served",
    "threshold": "a collection has a threshold or rates: which may be sent depends on what it has",
    "given_at": "a format for moments knows no first and last year",
    "expires_at": "likewise",
    "until": "it must not be before since",
    "taken": "in a form it is JSON text",
    "times": "one for each frame, and none in the future",
    "into": "nobody is merged into themselves",
    "groups": "a group is not merged with itself",
    "face_ids": "they are in no group, and a split leaves one",
    "remember_unknown": "it needs a search among all people",
    "remember_unknown_days": "the service has a limit",
    "time_zone": "a pattern knows no time zones",
    "url": "events go only to some hosts",
    "kind": "the kinds of destinations depend on the installation",
    "quiet_hours": "its start and end differ",
}
"""Fields that may get `request_invalid` although they match the document, with the reason."""


def _photos() -> list[bytes]:
    """Return a face, a photo without a face, and a file that is not a photo."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    with Image.open(Path(spec.origin).parent / "data" / "astronaut.png") as photo:
        face = photo.convert("RGB").crop((150, 0, 310, 160))
    made = []
    for each, kind in ((face, "JPEG"), (face.resize((40, 40)), "PNG"), (Image.new("L", (1, 1)), "GIF")):
        data = io.BytesIO()
        each.save(data, kind)
        made.append(data.getvalue())
    return [*made, random.Random(1).randbytes(64)]


FACE, *_OTHERS = _photos()
PHOTOS = st.one_of(st.just(FACE), st.just(FACE), st.sampled_from(_OTHERS))
schemathesis.openapi.format("binary", PHOTOS)
schemathesis.openapi.format("byte", PHOTOS.map(base64.b64encode).map(bytes.decode))


@schemathesis.hook
def before_load_schema(_context, raw_schema) -> None:
    """Describe bodies as JSON and single events too, and relax the rules of forms."""
    for operation in (operation for path in raw_schema["paths"].values() for operation in path.values()):
        body = operation.get("requestBody", {})
        if "x-json-body" in body:
            body["content"]["application/json"] = body["x-json-body"]
        for answer in operation["responses"].values():
            if "text/event-stream" in answer.get("content", {}):
                answer["content"]["text/event-stream"] = {"itemSchema": {"type": "object", "required": ["data"]}}
    for name, schema in raw_schema["components"]["schemas"].items():
        if name.endswith("Form"):
            _relax(schema)


def _relax(schema) -> None:
    """Remove the rules about several fields of a form and about parts of ids, and allow empty fields.

    schemathesis cannot check these rules if a field is a file. An empty field counts as absent.
    """
    for rule in ("not", "oneOf", "anyOf", "allOf"):
        schema.pop(rule, None)
    schema["properties"].get("photo_urls", {}).pop("minItems", None)  # a form cannot express any of them
    for field, each in schema["properties"].items():
        each.pop("not", None)
        if {"pattern", "minLength"} & set(each) and field not in schema.get("required", ()):
            schema["properties"][field] = {"anyOf": [each, {"const": ""}]}
        elif {"type": "boolean"} in each.get("anyOf", ()):
            schema["properties"][field] = {"anyOf": [each, {"enum": ["", 0, 1]}]}  # a form sends numbers as text


@schemathesis.check
def valid_requests_are_not_called_invalid(_context, response, case) -> None:
    """Replacement for the 422 that `positive_data_acceptance` accepts, such as photos without faces."""
    if not (case.meta and case.meta.generation.mode.is_positive) or response.status_code not in {412, 422}:
        return
    if response.status_code == 412:
        assert "if-match" in {name.lower() for name in case.headers}, "412 without If-Match"
        return
    problem = response.json()
    if problem["code"] != "request_invalid":
        return
    is_form = (case.media_type or "").startswith("multipart/")
    # Several photos need `photos_of`. The document has no rule for it, which would hide fields from generators.
    given = problem.get("errors", [{"field": "?", "detail": ""}])
    errors = [each for each in given if "photos_of" not in each["detail"]]
    fields = {each["field"].rstrip(".0123456789").rpartition(".")[2] for each in errors}
    assert fields <= set(SEMANTIC) | ({"body", "identity_id", "photo_url"} if is_form else set()), (
        f"a valid request was refused: {problem['errors']}"
    )


SEEDED: dict[str, list[str]] = json.loads(os.environ.get("SEEDED", "{}"))
"""Enrolled ids in the collection `default` at the start, by parameter name."""
_turn = itertools.count()


@schemathesis.hook
def before_call(_context, case, _kwargs) -> None:
    """Use existing ids in every second valid request; deletions get theirs by links. Streams of events end at once."""
    if case.path == "/events/stream":
        case.query["seconds"] = 0.01
    meta = case.meta
    is_random = meta is not None and meta.phase.name.value == "fuzzing" and meta.generation.mode.is_positive
    if not SEEDED or not is_random or next(_turn) % 2:
        return
    if case.method.upper() != "DELETE" and "collection" in case.path_parameters:
        case.path_parameters["collection"] = "default"
        for name in ("identity_id", "face_id"):
            if name in case.path_parameters:
                case.path_parameters[name] = SEEDED[name][next(_turn) % len(SEEDED[name])]
    is_json = case.media_type == "application/json"  # schemathesis considers a changed body with files invalid
    body = case.body if is_json and isinstance(case.body, dict) else {}
    for name, value in (("collection", "default"), ("identity_id", SEEDED["identity_id"][0])):
        if isinstance(body.get(name), str):
            body[name] = value
    if "embedding" in body:
        body["embedding"] = [float(each) for each in SEEDED["embedding"]]
