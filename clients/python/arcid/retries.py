"""Retries and the parsing of answers. This module does no I/O: it yields calls and pauses to a transport."""

import json
import random
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import count
from time import time
from typing import Any, TypeVar

import httpx2

from arcid.calls import Call, Pause, Reply, Workflow
from arcid.errors import AnswerUnreadable, ApiError, ArcidError, ConnectionFailed, TimedOut, error_class

Answer = TypeVar("Answer")
Exchange = Generator[Call[Any] | Pause, Reply | None, Answer]
"""Generator that yields calls to send and pauses; the transport sends back the reply or throws httpx2.RequestError."""

# The request was not sent if one of these errors is raised.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# The answer was lost, but a retry may succeed.
_LOST = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
# The service did not start the request if it answers 503 with one of these codes. The same applies to 429.
_NOT_DONE = frozenset({"overloaded", "deadline_exceeded", "rates_unavailable"})
_FIRST_PAUSE_S = 0.5  # after a failed connection; doubled after each attempt
_MAX_TEXT = 200  # characters of an answer that is not a problem document


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The maximum number of retries, and the longest `Retry-After` to wait for."""

    max_retries: int = 2
    longest_wait_s: float = 30


def run(operation: Call[Answer] | Workflow[Answer], policy: RetryPolicy) -> Exchange[Answer]:
    """Run a call or a workflow and return its answer.

    Raises ApiError, ConnectionFailed, AnswerUnreadable, and the errors of the workflow.
    """
    if isinstance(operation, Call):
        reply = yield from send(operation, policy)
        return _parse(operation, reply)
    answer: Any = None
    failure: ArcidError | None = None
    while True:
        try:
            step = operation.send(answer) if failure is None else operation.throw(failure)
        except StopIteration as end:
            result: Answer = end.value
            return result
        failure = None
        if isinstance(step, Pause):
            answer = yield step
            continue
        try:
            answer = yield from run(step, policy)
        except (ApiError, ConnectionFailed) as error:
            failure = error  # the workflow may handle it


def send(call: Call[Any], policy: RetryPolicy) -> Exchange[Reply]:
    """Send a call with retries and return its reply; raises ApiError and ConnectionFailed."""
    for attempt in count():
        try:
            reply = yield call
        except httpx2.RequestError as error:
            if attempt >= policy.max_retries or not isinstance(error, _LOST if call.is_repeatable else _NOT_SENT):
                raise connection_error(call, error) from error
            pause = _FIRST_PAUSE_S * 2**attempt
        else:
            assert reply is not None  # noqa: S101 - a call always gets a reply
            if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in call.accepted:
                return reply
            error_answer = api_error(reply)
            if attempt >= policy.max_retries or not _is_retryable(call, error_answer, policy):
                raise error_answer
            pause = error_answer.retry_after_s or 0
        yield Pause(pause * random.uniform(1, 1.25))  # so that many clients do not retry at the same moment
    raise AssertionError("unreachable")


def connection_error(call: Call[Any], error: httpx2.RequestError) -> ConnectionFailed:
    """Convert an error of httpx2 to an error of this package."""
    kind = TimedOut if isinstance(error, httpx2.TimeoutException) else ConnectionFailed
    return kind(f"{call.method} {call.path}: {type(error).__name__}: {error}")


def _is_retryable(call: Call[Any], error: ApiError, policy: RetryPolicy) -> bool:
    if error.retry_after_s is None or error.retry_after_s > policy.longest_wait_s:
        return False
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return error.status == HTTPStatus.SERVICE_UNAVAILABLE and (call.is_repeatable or error.code in _NOT_DONE)


def _parse(call: Call[Answer], reply: Reply) -> Answer:
    try:
        return call.read(reply)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnswerUnreadable(f"{call.method} {call.path}: {type(error).__name__}: {error}") from error


def api_error(reply: Reply) -> ApiError:
    """Convert an error answer to an ApiError.

    If the answer is not a problem document, for example because a proxy sent it, the code is `http_error`.
    """
    problem: Any = None
    with suppress(ValueError):
        problem = json.loads(reply.content)
    if not isinstance(problem, dict):
        problem = {"detail": reply.content.decode(errors="replace")[:_MAX_TEXT].strip()}
    standard = {"type", "title", "status", "detail", "code", "request_id"}
    return error_class(reply.status)(
        reply.status,
        str(problem.get("code", "http_error")),
        str(problem.get("detail") or "the answer contains no reason"),
        problem.get("request_id", reply.headers.get("x-request-id")),
        _retry_after(reply.headers.get("retry-after")),
        {name: value for name, value in problem.items() if name not in standard},
    )


def _retry_after(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header, which holds a number or a date."""
    if header is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(header))
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    return None
