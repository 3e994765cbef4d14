"""When a call is repeated, and what its answer means. Nothing here sends anything or waits: it asks for that."""

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

from arcid.calls import Call, Errand, Pause, Reply
from arcid.errors import AnswerUnreadable, ApiError, ConnectionFailed, TimedOut, class_of

Answer = TypeVar("Answer")
Steps = Generator[Call[Any] | Pause, Reply | None, Answer]
"""Asks to send a call or to pause; is sent the reply, or thrown the httpx2.RequestError that came of it."""

# Nothing of the request was sent when these happen.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# The answer may come, or come whole, the next time.
_LOST = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
# Nothing was done when the service answers 503 with these, or 429.
_NOT_DONE = frozenset({"overloaded", "deadline_exceeded", "rates_unavailable"})
_FIRST_PAUSE_S = 0.5  # after a failed connection; doubled each time
_MOST_TEXT = 200  # characters of an answer that is no problem document


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is repeated, and how long a `Retry-After` may be to be waited for."""

    most: int = 2
    longest_wait_s: float = 30


def perform(asked: Call[Answer] | Errand[Answer], retries: Retries) -> Steps[Answer]:
    """Return the steps to an answer.

    They raise ApiError, ConnectionFailed or AnswerUnreadable, and what the errand raises.
    """
    if isinstance(asked, Call):
        reply = yield from attempts(asked, retries)
        return _read(asked, reply)
    answer: Any = None
    while True:
        try:
            wanted = asked.send(answer)
        except StopIteration as end:
            done: Answer = end.value
            return done
        if isinstance(wanted, Pause):
            answer = yield wanted
        else:
            answer = yield from perform(wanted, retries)


def attempts(call: Call[Any], retries: Retries) -> Steps[Reply]:
    """Return the steps to a reply that is an answer; they raise ApiError or ConnectionFailed."""
    for attempt in count():
        try:
            reply = yield call
        except httpx2.RequestError as error:
            if attempt >= retries.most or not isinstance(error, _LOST if call.is_repeatable else _NOT_SENT):
                raise failed(call, error) from error
            pause = _FIRST_PAUSE_S * 2**attempt
        else:
            assert reply is not None  # noqa: S101 - that of a call
            if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in call.accepted:
                return reply
            problem = problem_of(reply)
            if attempt >= retries.most or not _may_repeat(call, problem, retries):
                raise problem
            pause = problem.retry_after_s or 0
        yield Pause(pause * random.uniform(1, 1.25))  # so that many callers do not come back at once
    raise AssertionError("unreachable")


def failed(call: Call[Any], error: httpx2.RequestError) -> ConnectionFailed:
    """Return the error of ours for one of the transport."""
    kind = TimedOut if isinstance(error, httpx2.TimeoutException) else ConnectionFailed
    return kind(f"{call.method} {call.path}: {type(error).__name__}: {error}")


def _may_repeat(call: Call[Any], problem: ApiError, retries: Retries) -> bool:
    if problem.retry_after_s is None or problem.retry_after_s > retries.longest_wait_s:
        return False
    if problem.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return problem.status == HTTPStatus.SERVICE_UNAVAILABLE and (call.is_repeatable or problem.code in _NOT_DONE)


def _read(call: Call[Answer], reply: Reply) -> Answer:
    try:
        return call.read(reply)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnswerUnreadable(f"{call.method} {call.path}: {type(error).__name__}: {error}") from error


def problem_of(reply: Reply) -> ApiError:
    """Return the error that an answer is; one that is no problem document (a proxy's) has the code `http_error`."""
    said: Any = None
    with suppress(ValueError):
        said = json.loads(reply.content)
    if not isinstance(said, dict):
        said = {"detail": reply.content.decode(errors="replace")[:_MOST_TEXT].strip()}
    known = {"type", "title", "status", "detail", "code", "request_id"}
    return class_of(reply.status)(
        reply.status,
        str(said.get("code", "http_error")),
        str(said.get("detail") or "no reason was given"),
        said.get("request_id", reply.headers.get("x-request-id")),
        _retry_after(reply.headers.get("retry-after")),
        {name: value for name, value in said.items() if name not in known},
    )


def _retry_after(said: str | None) -> float | None:
    """Return the seconds that a `Retry-After` says, as a number or as a date."""
    if said is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(said))
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(said).timestamp() - time())
    return None
