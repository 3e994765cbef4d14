"""Requests that the service cannot read, or cannot answer now."""

from collections.abc import Mapping, Sequence
from typing import Self

from app.errors.base import ArcidError


class RequestInvalid(ArcidError):
    """The request does not match its schema; `fields` lists where and why."""

    def __init__(self, message: str, fields: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = list(fields)

    @classmethod
    def at(cls, field: str, detail: str) -> Self:
        """Return the error of a single field."""
        return cls(detail, [{"field": field, "detail": detail}])


class BodyEmpty(ArcidError):
    """The request has no body."""

    message = "the request has no body"


class BodyMalformed(ArcidError):
    """The body does not match its content type."""


class BodyTooLarge(ArcidError):
    """The body has more bytes than the service accepts; the rest was not read."""


class BodyTooSlow(ArcidError):
    """The body took too long to arrive; the rest was not read."""


class ContentTypeUnsupported(ArcidError):
    """The body is neither multipart/form-data nor JSON."""


class ContentEncodingUnsupported(ArcidError):
    """The body is compressed."""


class AttributesUnsupported(ArcidError):
    """The request asks for an analysis that includes emotion and race, which the service never estimates."""

    message = "emotion and race are never estimated; for age and gender, send attributes=age,gender to /detect"


class AttributeDisabled(ArcidError):
    """The request asks for an attribute that the settings do not allow."""


class IdempotencyConflict(ArcidError):
    """The Idempotency-Key was used for another request."""


class PreconditionFailed(ArcidError):
    """The resource has changed since the caller read it."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"{resource} has changed: read it again")


class Overloaded(ArcidError):
    """As many requests wait as may wait; nothing was done with this one."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}; try again later")


class DeadlineExceeded(ArcidError):
    """The request waited too long for its turn; nothing was done with it."""


class ShuttingDown(ArcidError):
    """The service is about to stop."""

    message = "the service is shutting down; try again, another replica may answer"
