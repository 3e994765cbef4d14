"""Errors in CompreFace's form: `{"message", "code"}` with its numbers and statuses, and our own code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.api.http.reshaping import ErrorForm
from app.api.schemas.problem import FieldErrorSchema
from app.api.schemas.wording import MISSING, WRONG_KIND

PREFIX = "/api/v1/"

_UNDEFINED = 0
_EMPTY_FIELD, _CONSTRAINT, _NO_PARAMETER, _NO_PART, _ARGUMENT = 5, 26, 33, 34, 36

# CompreFace's numbers; statuses where they differ from ours.
_CODES: Mapping[str, int] = {
    "collection_unknown": 10,
    "face_image_unknown": 11,
    "key_missing": 20,
    "key_invalid": 10,
    "not_an_image": 21,
    "image_damaged": 21,
    "image_unsupported": 21,
    "image_too_costly": 21,
    "low_quality": _CONSTRAINT,
    "no_face": 28,
    "several_faces": 31,
    "body_empty": _NO_PART,
    "identity_unknown": 42,
    "identity_exists": 43,
    "face_unknown": 44,
}
# Clients compare these texts.
_MESSAGES: Mapping[str, str] = {
    "no_face": "No face is found in the given image",
    "several_faces": "More than one face in the source image",
}
_STATUSES: Mapping[int, HTTPStatus] = {HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST}
_STATUS_OF_CODE: Mapping[str, HTTPStatus] = {"identity_exists": HTTPStatus.BAD_REQUEST}


class CompreFaceError(BaseModel):
    """An error in CompreFace's form."""

    message: str
    code: Annotated[int, Field(description="CompreFace's number; 0 where it has none.", examples=[28])]
    arcid_code: Annotated[str, Field(description="Stable, as in all other errors of this service.")]
    errors: list[FieldErrorSchema] | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": CompreFaceError, "description": description}
    for status, description in {
        400: "A parameter or the body is invalid, or a photo cannot be used; `code` is the reason.",
        401: "No API key, or one that is not known, has expired or was revoked.",
        403: "The API key lacks the scope, or is for other collections.",
        404: "The subject, the face or the collection is unknown.",
        408: "The body took too long to arrive.",
        409: "The collection uses another network, or the current state does not allow the request.",
        413: "The body or a photo has too many bytes or pixels.",
        415: "The body is neither multipart/form-data nor JSON.",
        500: "The service failed; its log has the details.",
        503: "The service is overloaded or stops, or the database is down; try again after `Retry-After` seconds.",
        507: "The disk of the database or of the data folder is full or cannot be written.",
    }.items()
}


def reworded(problem: Mapping[str, Any], method: str = "", path: str = "") -> tuple[int, dict[str, Any]]:
    """Return status and content of CompreFace's error for a problem (RFC 9457)."""
    code, detail, fields = problem["code"], problem["detail"], problem.get("errors", [])
    if problem.get("rejected"):  # one photo was sent: its error is the request's
        code, detail = problem["rejected"][0]["code"], problem["rejected"][0]["detail"]
    status = _STATUS_OF_CODE.get(code) or _STATUSES.get(problem["status"], problem["status"])
    number = _of_fields(fields) if fields else _CODES.get(code, _UNDEFINED)
    if code in {"not_found", "method_not_allowed"}:
        detail = f"{method} {path} is not supported; docs/compreface.md lists the routes that are"
    if fields:
        detail = "; ".join(f"{each['field']}: {each['detail']}" for each in fields)
    error = {"message": _MESSAGES.get(code, detail), "code": number, "arcid_code": code}
    return int(status), {**error, "errors": fields} if fields else error


ERRORS = ErrorForm(PREFIX, reworded)


def _of_fields(fields: list[dict[str, str]]) -> int:
    """Return the number for the first invalid field."""
    field, detail = fields[0]["field"], fields[0]["detail"]
    if detail == MISSING:
        if field.startswith("query."):
            return _NO_PARAMETER
        return _NO_PART if field in {"file", "source_image", "target_image"} else _EMPTY_FIELD
    return _ARGUMENT if detail.startswith(WRONG_KIND) else _CONSTRAINT
