"""Every error as RFC 9457 problem+json with a stable code. The one place where errors meet HTTP."""

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
from app.errors import ArcidError, NothingEnrolled
from app.observability.logs import get_logger

_log = get_logger(__name__)
MEDIA_TYPE = "application/problem+json"

# Looked up along the error's classes, the nearest first.
STATUS: Mapping[type[ArcidError], HTTPStatus] = {
    errors.PhotoRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyBytes: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyPixels: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ImageTooCostly: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BodyTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.BodyEmpty: HTTPStatus.BAD_REQUEST,
    errors.BodyMalformed: HTTPStatus.BAD_REQUEST,
    errors.ContentTypeUnsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.ContentEncodingUnsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.RequestInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NothingEnrolled: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IdempotencyConflict: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.KeyMissing: HTTPStatus.UNAUTHORIZED,
    errors.KeyInvalid: HTTPStatus.UNAUTHORIZED,
    errors.ScopeMissing: HTTPStatus.FORBIDDEN,
    errors.CollectionForbidden: HTTPStatus.FORBIDDEN,
    errors.HostForbidden: HTTPStatus.FORBIDDEN,
    errors.OriginForbidden: HTTPStatus.FORBIDDEN,
    errors.WhereForbidden: HTTPStatus.FORBIDDEN,
    errors.UrlsDisabled: HTTPStatus.FORBIDDEN,
    errors.UrlNotAllowed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UrlUnreachable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RateExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RatesUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.CollectionUnknown: HTTPStatus.NOT_FOUND,
    errors.FaceUnknown: HTTPStatus.NOT_FOUND,
    errors.IdentityUnknown: HTTPStatus.NOT_FOUND,
    errors.JobUnknown: HTTPStatus.NOT_FOUND,
    errors.ArchiveUnknown: HTTPStatus.NOT_FOUND,
    errors.JobFinished: HTTPStatus.CONFLICT,
    errors.JobUnfinished: HTTPStatus.CONFLICT,
    errors.ExportGone: HTTPStatus.GONE,
    errors.ImportInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ImportFolderForbidden: HTTPStatus.FORBIDDEN,
    errors.ImageNotKept: HTTPStatus.NOT_FOUND,
    errors.CollectionExists: HTTPStatus.CONFLICT,
    errors.IdentityExists: HTTPStatus.CONFLICT,
    errors.DuplicateIdentity: HTTPStatus.CONFLICT,
    errors.CollectionNotEmpty: HTTPStatus.CONFLICT,
    errors.PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    errors.ModelMismatch: HTTPStatus.CONFLICT,
    errors.TemplatesMissing: HTTPStatus.CONFLICT,
    errors.NoWayBack: HTTPStatus.CONFLICT,
    errors.JobUnderWay: HTTPStatus.CONFLICT,
    errors.EncryptionRequired: HTTPStatus.CONFLICT,
    errors.SealBroken: HTTPStatus.CONFLICT,
    errors.TrailBroken: HTTPStatus.CONFLICT,
    errors.FaceExists: HTTPStatus.CONFLICT,
    errors.ArchiveRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.CalibrationMissing: HTTPStatus.CONFLICT,
    errors.CollectionSwitched: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConsentMissing: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IndexUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineExceeded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
    # Not 503: waiting does not mend it, and what only reads is still served.
    errors.DatabaseNotWritable: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.StorageNotWritable: HTTPStatus.INSUFFICIENT_STORAGE,
}
RETRY_AFTER_S = 5
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def problem(status: int, code: str, detail: str, **extra: object) -> JSONResponse:
    """Return a problem+json answer; `extra` members follow the standard ones. 503 says when to try again."""
    body = {"type": f"urn:arcid:error:{code}", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id is not None:  # none before a request is read: too many connections
        body["request_id"] = request_id
    headers = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == HTTPStatus.REQUEST_TIMEOUT:  # the rest of the body may still be on its way
        headers["Connection"] = "close"
    return JSONResponse({**body, "code": code, **extra}, status, headers, media_type=MEDIA_TYPE)


def note(scope: MutableMapping[str, Any], code: str) -> None:
    """Leave a problem's code with the request, for the log and the metrics (`app.api.middleware`)."""
    scope["arcid.problem"] = code


def status_of(error: type[ArcidError]) -> HTTPStatus:
    """Return the status of an error class; what no client can cause is a 500."""
    return next((STATUS[each] for each in error.__mro__ if each in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)


def install(app: FastAPI) -> None:
    """Map the domain's errors, FastAPI's and Starlette's; the last resort is in `app.api.middleware`."""
    app.add_exception_handler(ArcidError, _arcid_error)
    app.add_exception_handler(OSError, _os_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _arcid_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ArcidError)  # noqa: S101 - FastAPI calls this for nothing else
    return respond(request.scope, error)


async def _os_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a write that the disk refused; every other error of the system is a failure inside."""
    assert isinstance(error, OSError)  # noqa: S101 - FastAPI calls this for nothing else
    storage = errors.StorageNotWritable.of(error)
    if storage is None:
        raise error
    return respond(request.scope, storage)


def respond(scope: MutableMapping[str, Any], error: ArcidError) -> JSONResponse:
    """Return the answer to an error of the domain, and log what only the operator is told."""
    status = status_of(type(error))
    extra: dict[str, Any] = {}
    if isinstance(error, NothingEnrolled):
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
    answer = problem(status, error.code, str(error), **extra)
    if isinstance(error, errors.RateExceeded):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="arcid"'
    return answer


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - FastAPI calls this for nothing else
    fields = [{"field": ".".join(str(part) for part in each["loc"]), "detail": each["msg"]} for each in error.errors()]
    note(request.scope, errors.RequestInvalid.code)
    return problem(422, errors.RequestInvalid.code, "the request does not fit its schema", errors=fields)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - FastAPI calls this for nothing else
    codes = {404: "not_found", 405: "method_not_allowed", 400: errors.BodyMalformed.code}
    code = codes.get(error.status_code, "http_error")
    note(request.scope, code)
    answer = problem(error.status_code, code, error.detail)
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return answer


def _allowed(request: Request) -> set[str]:
    """Return the methods of a path, of all its routes; Starlette names those of the first."""
    allowed: set[str] = set()
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        for route in request.app.routes:
            is_static = isinstance(route, Mount) and method not in {"GET", "HEAD"}
            if route.matches(scope)[0] is Match.FULL and not is_static:
                allowed.add(method)
    return allowed | {"HEAD"} if "GET" in allowed else allowed
