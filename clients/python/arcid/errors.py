"""Errors of this package; all of them are ArcidErrors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from arcid.answers import Duplicate, RejectedPhoto
from arcid.job import Job
from arcid.migration import FaceReference
from arcid.parsing import Value

ValueT = TypeVar("ValueT", bound=Value)


@dataclass(frozen=True, slots=True)
class FieldError(Value):
    """An invalid field of a request and the reason."""

    field: str
    detail: str


class ArcidError(Exception):
    """Base class of all errors of this package."""


class ConnectionFailed(ArcidError):
    """No answer was received; `__cause__` has the reason. A write may still have succeeded."""


class TimedOut(ConnectionFailed):
    """No answer was received in time."""


class AnswerUnreadable(ArcidError):
    """The answer is not valid for this API: the server is another service, or its version is incompatible."""


class WaitTimedOut(ArcidError):
    """A job did not end within the timeout and continues; `job` is its last known state."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"job {self.job.job_id} is still {self.job.state}: {self.job.done} of {self.job.total or '?'}"


class JobFailed(ArcidError):
    """A job failed or was cancelled while `wait` was waiting for it; `job` has the `failure`."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        failure = self.job.failure
        why = f": {failure.detail} ({failure.code})" if failure is not None else ""
        return f"job {self.job.job_id} {self.job.state}{why}"


class ApiError(ArcidError):
    """An error answer of the service (RFC 9457).

    `code` is stable (see docs/api.md), `detail` is for humans, and `request_id` appears in the log of the service.
    `extra` has the additional members of some codes. `retry_after_s` is the delay before a retry, if the service sent
    one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, code, detail, request_id, retry_after_s, extra)  # all arguments, for pickling
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.extra: Mapping[str, Any] = extra or {}

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"

    def _values(self, member: str, kind: type[ValueT]) -> tuple[ValueT, ...]:
        return tuple(kind.from_json(value) for value in self.extra.get(member, ()))


class BadRequest(ApiError):
    """400: the body is missing or malformed."""


class Unauthorized(ApiError):
    """401: the API key is missing or invalid."""


class Forbidden(ApiError):
    """403: the key's scopes or collections, or the operator's settings, do not allow the request."""


class NotFound(ApiError):
    """404: the resource does not exist."""


class Conflict(ApiError):
    """409: the request conflicts with the current state."""

    @property
    def duplicates(self) -> tuple[Duplicate, ...]:
        """The identities that the faces resemble, for `duplicate_identity`."""
        return self._values("duplicates", Duplicate)

    @property
    def faces(self) -> tuple[FaceReference, ...]:
        """The first thousand faces without a template, for `templates_missing`."""
        return self._values("faces", FaceReference)


class Gone(ApiError):
    """410: the resource no longer exists."""


class PreconditionFailed(ApiError):
    """412: the current version is not the one of the `etag`."""


class TooLarge(ApiError):
    """413: the body or a photo is too large."""


class Unprocessable(ApiError):
    """422: the request is valid but cannot be processed. Its text has the reasons of refused photos and fields."""

    def __str__(self) -> str:
        photos = [f"photo {each.photo}: {each.detail} ({each.code})" for each in self.rejected]
        fields = [f"{each.field}: {each.detail}" for each in self.errors]
        return "; ".join([super().__str__(), *photos, *fields])

    @property
    def errors(self) -> tuple[FieldError, ...]:
        """The invalid fields, for `request_invalid`."""
        return self._values("errors", FieldError)

    @property
    def rejected(self) -> tuple[RejectedPhoto, ...]:
        """The rejected photos with the reasons, for `nothing_enrolled`."""
        return self._values("rejected", RejectedPhoto)


class RateLimited(ApiError):
    """429: a rate limit or quota is exceeded; nothing was done."""


class ServerFailed(ApiError):
    """5xx: the service failed."""


class Unavailable(ServerFailed):
    """503: the service is overloaded or shutting down, or a dependency does not respond."""


BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    413: TooLarge,
    422: Unprocessable,
    429: RateLimited,
    503: Unavailable,
}


def error_class(status: int) -> type[ApiError]:
    """Return the error class of a status."""
    return BY_STATUS.get(status, ServerFailed if status >= 500 else ApiError)
