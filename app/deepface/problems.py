"""Errors in DeepFace's form: `{"error"}` with its statuses, and our own code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.api.http.reshaping import ErrorForm
from app.api.schemas.problem import FieldErrorSchema
from app.errors import PresentationAttack

PREFIX = "/deepface/"
_STATUSES: Mapping[int, HTTPStatus] = {HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST}

_SPOOF = "Spoof detected in the given image."
"""DeepFace's own text: it has no codes, so clients compare this."""


class DeepFaceError(BaseModel):
    """An error in DeepFace's form."""

    error: str
    arcid_code: Annotated[str, Field(description="Stable, as in all other errors of this service.")]
    errors: list[FieldErrorSchema] | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": DeepFaceError, "description": description}
    for status, description in {
        400: "The request is invalid, a photo cannot be used, or the service cannot answer it; see `arcid_code`.",
        401: "No API key, or one that is not known, has expired or was revoked.",
        403: "The API key lacks the scope, or photos by URL are disabled.",
        404: "The collection is unknown.",
        408: "The body took too long to arrive.",
        409: "The current state does not allow the request.",
        413: "The body or a photo has too many bytes or pixels.",
        415: "The body is neither multipart/form-data nor JSON.",
        429: "A rate or quota of the key or the address is used up; try again after `Retry-After` seconds.",
        500: "The service failed; its log has the details.",
        503: "The service is overloaded or stops, or the database is down; try again after `Retry-After` seconds.",
    }.items()
}


def reworded(problem: Mapping[str, Any], method: str = "", path: str = "") -> tuple[int, dict[str, Any]]:
    """Return status and content of DeepFace's error for a problem (RFC 9457)."""
    code, detail, fields = problem["code"], problem["detail"], problem.get("errors", [])
    if code in {"not_found", "method_not_allowed"}:
        detail = f"{method} {path} is not supported; docs/deepface.md lists the routes that are"
    if code == PresentationAttack.code:
        detail = _SPOOF
    error = {"error": detail, "arcid_code": code}
    status = int(_STATUSES.get(problem["status"], problem["status"]))
    return status, {**error, "errors": fields} if fields else error


ERRORS = ErrorForm(PREFIX, reworded)
