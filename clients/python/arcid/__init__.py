"""Client for an ArcID face-recognition service, synchronous (`Client`) and asynchronous (`AsyncClient`)."""

from arcid.client import AsyncClient, Client
from arcid.errors import (
    AnswerUnreadable,
    ApiError,
    ArcidError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    Forbidden,
    Gone,
    JobFailed,
    NotFound,
    PreconditionFailed,
    RateLimited,
    ServerFailed,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
    WaitTimedOut,
)
from arcid.liveness import ChallengeFrame
from arcid.photos import PhotoUrl, ServerPath
from arcid.resources import Consent
from arcid.version import __version__

__all__ = [
    "AnswerUnreadable",
    "ApiError",
    "ArcidError",
    "AsyncClient",
    "BadRequest",
    "ChallengeFrame",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Consent",
    "Forbidden",
    "Gone",
    "JobFailed",
    "NotFound",
    "PhotoUrl",
    "PreconditionFailed",
    "RateLimited",
    "ServerFailed",
    "ServerPath",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "WaitTimedOut",
    "__version__",
]
