"""What can go wrong. Every error of this package is an ArcidError."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from arcid.answers import Duplicate, RejectedPhoto
from arcid.changes import FaceName
from arcid.reading import Value
from arcid.work import Job

Read = TypeVar("Read", bound=Value)


@dataclass(frozen=True, slots=True)
class FieldError(Value):
    """A field of a request that is wrong, and what is wrong with it."""

    field: str
    detail: str


class ArcidError(Exception):
    """Anything that this package raises by itself."""


class ConnectionFailed(ArcidError):
    """No answer came; `__cause__` has the reason. A write may have been done all the same."""


class TimedOut(ConnectionFailed):
    """No answer came in time."""


class AnswerUnreadable(ArcidError):
    """What came is not what the API answers: something else listens there, or its version is too far from ours."""


class WaitTimedOut(ArcidError):
    """A job has not ended in the time that was given to it; it goes on. `job` is how it stood."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"job {self.job.job_id} is still {self.job.state}: {self.job.done} of {self.job.total or '?'}"


class JobFailed(ArcidError):
    """A job that was waited for has failed, or was cancelled; `job` has the `failure`."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        failure = self.job.failure
        why = f": {failure.detail} ({failure.code})" if failure is not None else ""
        return f"job {self.job.job_id} {self.job.state}{why}"


class ApiError(ArcidError):
    """The service's own answer (RFC 9457).

    `code` is stable (docs/api.md lists them), `detail` is for people, `request_id` is that of the service's log.
    `extra` has the members that some codes bring; `retry_after_s` says when to try again, where the service says it.
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
        super().__init__(status, code, detail, request_id, retry_after_s, extra)  # all: so that it can be pickled
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.extra: Mapping[str, Any] = extra or {}

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"

    def _each(self, member: str, kind: type[Read]) -> tuple[Read, ...]:
        return tuple(kind.from_json(each) for each in self.extra.get(member, ()))


class BadRequest(ApiError):
    """400: the body is missing or malformed."""


class Unauthorized(ApiError):
    """401: no API key, or one that does not hold."""


class Forbidden(ApiError):
    """403: the key's scopes or collections, or the operator's settings, do not allow it."""


class NotFound(ApiError):
    """404: there is no such thing."""


class Conflict(ApiError):
    """409: it does not go together with what is there."""

    @property
    def duplicates(self) -> tuple[Duplicate, ...]:
        """Whom the faces look like, of `duplicate_identity`."""
        return self._each("duplicates", Duplicate)

    @property
    def faces(self) -> tuple[FaceName, ...]:
        """The first thousand faces without a template, of `templates_missing`."""
        return self._each("faces", FaceName)


class Gone(ApiError):
    """410: it is there no more."""


class PreconditionFailed(ApiError):
    """412: what is there is not the version that was named by its `etag`."""


class TooLarge(ApiError):
    """413: the body, or a photo."""


class Unprocessable(ApiError):
    """422: the request was understood and cannot be done."""

    @property
    def errors(self) -> tuple[FieldError, ...]:
        """Each wrong field, of `request_invalid`."""
        return self._each("errors", FieldError)

    @property
    def rejected(self) -> tuple[RejectedPhoto, ...]:
        """Why each photo was refused, of `nothing_enrolled`."""
        return self._each("rejected", RejectedPhoto)


class RateLimited(ApiError):
    """429: over a rate or quota; nothing was done."""


class ServerFailed(ApiError):
    """5xx: the service could not."""


class Unavailable(ServerFailed):
    """503: not now: overloaded, shutting down, or something that the service needs does not answer."""


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


def class_of(status: int) -> type[ApiError]:
    """Return the class of a status."""
    return BY_STATUS.get(status, ServerFailed if status >= 500 else ApiError)
