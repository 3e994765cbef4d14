"""Error handlers: every error becomes RFC 9457 problem+json with a stable code, and its HTTP status."""

from collections.abc import Mapping, MutableMapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from app import errors
from app.api.http.near_routes import near_route
from app.api.http.request_notes import note_refusals
from app.api.schemas.wording import summary, worded
from app.errors import ArcidError, NothingEnrolled
from app.observability.logs import get_logger

_log = get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
_LONGEST_SHOWN = 200  # characters of a path

_CLASSES: Mapping[HTTPStatus, tuple[type[ArcidError], ...]] = {
    HTTPStatus.BAD_REQUEST: (
        errors.BodyEmpty,
        errors.BodyMalformed,
    ),
    HTTPStatus.UNAUTHORIZED: (
        errors.KeyMissing,
        errors.KeyInvalid,
    ),
    HTTPStatus.FORBIDDEN: (
        errors.ScopeMissing,
        errors.CollectionForbidden,
        errors.HostForbidden,
        errors.OriginForbidden,
        errors.WhereForbidden,
        errors.LivenessForbidden,
        errors.AttributeDisabled,
        errors.UrlsDisabled,
        errors.ImportFolderForbidden,
        errors.GrantForbidden,
        errors.FirstKeyForbidden,
        errors.SignInRefused,
    ),
    HTTPStatus.NOT_FOUND: (
        errors.CollectionUnknown,
        errors.FaceUnknown,
        errors.IdentityUnknown,
        errors.JobUnknown,
        errors.ArchiveUnknown,
        errors.FaceImageUnknown,
        errors.KeyUnknown,
        errors.BackupUnknown,
        errors.SignInDisabled,
        errors.SessionUnknown,
        errors.UploadUnknown,
        errors.ChallengeUnknown,
        errors.GroupUnknown,
        errors.RuleUnknown,
        errors.CameraUnknown,
        errors.EventImageUnknown,
        errors.DestinationUnknown,
        errors.ReviewUnknown,
    ),
    HTTPStatus.REQUEST_TIMEOUT: (errors.BodyTooSlow,),
    HTTPStatus.CONFLICT: (
        errors.JobFinished,
        errors.JobUnfinished,
        errors.CollectionExists,
        errors.IdentityExists,
        errors.DuplicateIdentity,
        errors.CollectionNotEmpty,
        errors.ModelMismatch,
        errors.TemplatesMissing,
        errors.NoWayBack,
        errors.JobUnderWay,
        errors.EncryptionRequired,
        errors.UnknownFacesOff,
        errors.SealBroken,
        errors.TrailBroken,
        errors.FaceExists,
        errors.CalibrationMissing,
        errors.LivenessUnavailable,
        errors.KeyExists,
        errors.LastAdminKey,
        errors.BackupImpossible,
        errors.UploadConflict,
        errors.UploadUnfinished,
        errors.ChallengeUsed,
        errors.FramesReplayed,
        errors.CameraExists,
        errors.TooManyCameras,
        errors.CameraTakesNoFrames,
        errors.VideoUnavailable,
        errors.DestinationDisabled,
        errors.TooManyDestinations,
        errors.ReviewClosed,
        errors.ReviewerRepeated,
    ),
    HTTPStatus.GONE: (errors.ExportGone, errors.ChallengeExpired),
    HTTPStatus.PRECONDITION_FAILED: (errors.PreconditionFailed, errors.TusVersionUnsupported),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        errors.TooManyBytes,
        errors.TooManyPixels,
        errors.ImageTooCostly,
        errors.BodyTooLarge,
        errors.UploadTooLarge,
    ),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        errors.ContentTypeUnsupported,
        errors.ContentEncodingUnsupported,
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        errors.PhotoRefused,
        errors.RequestInvalid,
        errors.NothingEnrolled,
        errors.AttributesUnsupported,
        errors.IdempotencyConflict,
        errors.ImportInvalid,
        errors.ArchiveRefused,
        errors.ConsentMissing,
        errors.FramesInvalid,
        errors.CameraUrlNotAllowed,
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (errors.RateExceeded,),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        errors.RatesUnavailable,
        errors.OpenIdUnavailable,
        errors.CollectionSwitched,
        errors.DatabaseUnavailable,
        errors.IndexUnavailable,
        errors.Overloaded,
        errors.DeadlineExceeded,
        errors.ShuttingDown,
    ),
    # Not 503: waiting does not help, and requests that only read are still served.
    HTTPStatus.INSUFFICIENT_STORAGE: (
        errors.DatabaseNotWritable,
        errors.StorageNotWritable,
    ),
}
STATUS: Mapping[type[ArcidError], HTTPStatus] = {
    each: status for status, classes in _CLASSES.items() for each in classes
}
"""The status of an error is that of its nearest class here; the status of all others is 500."""
RETRY_AFTER_S = 5
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def problem(status: int, code: str, detail: str, **extra: object) -> JSONResponse:
    """Return a problem+json answer; `extra` members follow the standard ones. A 503 has Retry-After."""
    body = {"type": f"urn:arcid:error:{code}", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id is not None:  # missing if the connection is refused before a request is read
        body["request_id"] = request_id
    headers = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == HTTPStatus.REQUEST_TIMEOUT:  # the rest of the body may still arrive
        headers["Connection"] = "close"
    return JSONResponse({**body, "code": code, **extra}, status, headers, media_type=MEDIA_TYPE)


def note(scope: MutableMapping[str, Any], code: str) -> None:
    """Store a problem's code with the request: for the log, the metrics and the statistics."""
    scope["arcid.problem"] = code
    note_refusals(scope, [code])


def status_of(error: type[ArcidError]) -> HTTPStatus:
    """Return the status of an error class, 500 if no client can cause it."""
    return next((STATUS[each] for each in error.__mro__ if each in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)


def install(app: FastAPI) -> None:
    """Handle the domain's errors, FastAPI's and Starlette's; the last resort is in `app.api.http.middleware`."""
    app.add_exception_handler(ArcidError, _arcid_error)
    app.add_exception_handler(OSError, _os_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _arcid_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ArcidError)  # noqa: S101 - FastAPI calls this for nothing else
    return respond(request.scope, error)


async def _os_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a write that the disk refused; any other OSError is an internal error."""
    assert isinstance(error, OSError)  # noqa: S101 - FastAPI calls this for nothing else
    storage = errors.StorageNotWritable.of(error)
    if storage is None:
        raise error
    return respond(request.scope, storage)


def respond(scope: MutableMapping[str, Any], error: ArcidError) -> JSONResponse:
    """Return the answer to a domain error; log its `reason`, which only the operator may see."""
    status = status_of(type(error))
    extra: dict[str, Any] = {}
    if isinstance(error, NothingEnrolled):
        note_refusals(scope, (each.code for each in error.rejected))
        extra["rejected"] = [{"photo": each.photo, "code": each.code, "detail": each.detail} for each in error.rejected]
    if isinstance(error, errors.DuplicateIdentity):
        extra["duplicates"] = [asdict(each) for each in error.duplicates]
    if isinstance(error, errors.TemplatesMissing):
        extra["faces"] = [{"face_id": face_id, "identity_id": identity_id} for face_id, identity_id in error.faces]
    if isinstance(error, errors.RequestInvalid) and error.fields:
        extra["errors"] = error.fields
    if error.reason:
        _log.warning("request.refused", code=error.code, reason=error.reason)
    note(scope, error.code)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        _log.warning("access.refused", code=error.code)
    hint = near_route(scope["path"]) if isinstance(error, errors.IdentityUnknown) else ""
    answer = problem(status, error.code, str(error) + hint, **extra)
    if isinstance(error, errors.RateExceeded):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="arcid"'
    return answer


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - FastAPI calls this for nothing else
    fields = [{"field": ".".join(str(part) for part in each["loc"]), "detail": worded(each)} for each in error.errors()]
    note(request.scope, errors.RequestInvalid.code)
    return problem(422, errors.RequestInvalid.code, summary(fields), errors=fields)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - FastAPI calls this for nothing else
    codes = {404: "not_found", 405: "method_not_allowed", 400: errors.BodyMalformed.code}
    code = codes.get(error.status_code, "http_error")
    note(request.scope, code)
    path = request.scope["path"][:_LONGEST_SHOWN]
    allowed = ", ".join(sorted(_allowed(request))) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else ""
    hint = near_route(request.scope["path"])
    details = {
        404: f"there is no page or route at {path!r}{hint}",
        405: f"{request.method} is not a method of {path!r}{hint or f'; use {allowed}'}",
    }
    answer = problem(error.status_code, code, details.get(error.status_code, error.detail))
    answer.headers.update(error.headers or {})
    if allowed:
        answer.headers["Allow"] = allowed
    return answer


def _allowed(request: Request) -> set[str]:
    """Return the methods of all routes of a path; Starlette returns only those of the first."""
    allowed: set[str] = set()
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        for route in request.app.routes:
            is_static = isinstance(route, Mount) and method not in {"GET", "HEAD"}
            if route.matches(scope)[0] is Match.FULL and not is_static:
                allowed.add(method)
    return allowed | {"HEAD"} if "GET" in allowed else allowed
