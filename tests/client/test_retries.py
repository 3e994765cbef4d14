"""Retries: the yielded calls and pauses, without a network or a clock."""

import asyncio
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from arcid import (
    AnswerUnreadable,
    ApiError,
    ArcidError,
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
from arcid.calls import Pause, Reply
from arcid.operations import identities, jobs, recognition, service
from arcid.retries import RetryPolicy, run
from tests.client.conftest import Answers, async_client_of, client_of, json_answer

READS = recognition.detect(b"photo")
WRITES = identities.merge("a", into="b")
JOB = {
    "job_id": "j",
    "kind": "export",
    "collection": "c",
    "parameters": {},
    "state": "running",
    "done": 1,
    "total": 3,
    "errors": 0,
    "result": None,
    "failure": None,
    "created_by": "k",
    "attempts": 1,
    "created_at": "2026-05-04T09:30:00Z",
    "started_at": None,
    "finished_at": None,
}


def busy(status=503, code="overloaded", after="5"):
    headers = {} if after is None else {"Retry-After": after}
    return json_answer(status, headers, code=code, detail="later", status=status, type="t", title="T")


def played(operation, *answers, policy=RetryPolicy()):  # noqa: B008 - frozen
    """Run an operation with these answers; return the pauses, the number of calls, and the answer or error."""
    exchange, remaining, pauses, calls = run(operation, policy), list(answers), [], 0
    try:
        step = next(exchange)
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                step = exchange.send(None)
                continue
            calls += 1
            answer = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            if isinstance(answer, Exception):
                step = exchange.throw(answer)
            else:
                step = exchange.send(Reply(answer.status_code, answer.headers, answer.content))
    except StopIteration as end:
        return pauses, calls, end.value
    except ArcidError as error:
        return pauses, calls, error


def test_a_busy_service_is_asked_again_when_it_says():
    pauses, calls, answer = played(READS, busy(), busy(429, "rate_exceeded", "2"), json_answer(200, faces=[]))
    assert calls == 3
    assert 5 <= pauses[0] <= 6.25
    assert 2 <= pauses[1] <= 2.5
    assert answer.faces == ()


def test_not_for_ever_and_not_at_all_where_it_is_switched_off():
    for max_retries in (0, 1, 2):
        pauses, calls, error = played(READS, busy(), policy=RetryPolicy(max_retries))
        assert (len(pauses), calls) == (max_retries, max_retries + 1)
        assert isinstance(error, Unavailable)
        assert error.retry_after_s == 5


@pytest.mark.parametrize(
    "answer", [busy(after=None), busy(after="31"), busy(429, "quota_exceeded", "86400"), json_answer(500)]
)
def test_what_does_not_say_when_or_too_late_or_is_otherwise_wrong_is_raised_at_once(answer):
    pauses, calls, error = played(READS, answer)
    assert (pauses, calls) == ([], 1)
    assert isinstance(error, ApiError)


def test_a_date_says_when_too():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    pauses, _, _ = played(READS, busy(after=soon), json_answer(200, faces=[]))
    assert 15 < pauses[0] <= 25
    assert played(READS, busy(after="nonsense"))[1] == 1


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        (busy(429, "rate_exceeded"), 3),
        (busy(503, "overloaded"), 3),
        (busy(503, "database_unavailable"), 1),
        (busy(503, "shutting_down"), 1),
        (httpx2.ConnectError("refused"), 3),
        (httpx2.ConnectTimeout("slow"), 3),
        (httpx2.ReadError("lost"), 1),
        (httpx2.ReadTimeout("slow"), 1),
    ],
)
def test_what_writes_is_repeated_only_where_nothing_was_done(answer, calls):
    assert played(WRITES, answer)[1] == calls
    assert played(READS, answer)[1] == 3


def test_what_never_gets_better_is_not_repeated():
    for error in (httpx2.UnsupportedProtocol("no http"), httpx2.DecodingError("no gzip")):
        pauses, calls, raised = played(READS, error)
        assert (pauses, calls, type(raised)) == ([], 1, ConnectionFailed)


def test_what_is_repeatable():
    assert recognition.enroll(b"").is_repeatable
    assert identities.patch("a", name=None).is_repeatable
    assert not identities.patch("a", etag='"1"', name=None).is_repeatable
    assert not identities.delete("a").is_repeatable
    assert not jobs.export().is_repeatable
    assert jobs.download("j", "x").is_repeatable


def test_lost_connections_are_waited_for_longer_each_time():
    pauses, _, error = played(READS, httpx2.ReadError("lost"), policy=RetryPolicy(3))
    assert [round(each / expected, 3) >= 1 for each, expected in zip(pauses, (0.5, 1, 2), strict=True)] == [True] * 3
    assert all(each <= 1.25 * expected for each, expected in zip(pauses, (0.5, 1, 2), strict=True))
    assert type(error) is ConnectionFailed
    assert "POST /detect: ReadError: lost" in str(error)
    assert isinstance(error.__cause__, httpx2.ReadError)
    assert type(played(READS, httpx2.ReadTimeout("slow"), policy=RetryPolicy(0))[2]) is TimedOut


def test_an_enrollment_keeps_its_key_when_it_is_repeated_and_has_another_next_time():
    enrolled = json_answer(200, identity_id="i", faces=[], rejected=[], duplicates=[], mismatches=[])
    answers = Answers(busy(after="0"), enrolled, enrolled)
    with client_of(answers) as client:
        client.enroll(b"photo")
        client.enroll(b"photo")
        client.enroll(b"photo", idempotency_key="mine")
    keys = [each.headers["idempotency-key"] for each in answers.requests]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == "mine"


def test_a_service_that_is_not_ready_is_an_answer():
    reply = json_answer(503, status="not_ready", checks={"index": {"is_ready": False, "detail": "d"}})
    _, calls, answer = played(service.readyz(), reply)
    assert calls == 1
    assert answer.checks["index"].detail == "d"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (412, PreconditionFailed),
        (413, TooLarge),
        (422, Unprocessable),
        (429, RateLimited),
        (500, ServerFailed),
        (503, Unavailable),
        (507, ServerFailed),
        (302, ApiError),
        (405, ApiError),
    ],
)
def test_an_error_has_the_class_of_its_status_and_what_the_service_said(status, kind):
    answer = json_answer(status, code="c", detail="d", request_id="r", type="t", title="T", status=status, more=[1])
    error = played(READS, answer, policy=RetryPolicy(0))[2]
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.request_id, error.extra) == (
        status,
        "c",
        "d",
        "r",
        {"more": [1]},
    )
    assert str(error) == f"{status} c: d"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert vars(again) == vars(error)


def test_members_of_errors_are_values():
    error = played(READS, json_answer(422, code="request_invalid", errors=[{"field": "top_k", "detail": "d"}]))[2]
    assert [(each.field, each.detail) for each in error.errors] == [("top_k", "d")]
    assert error.rejected == ()
    error = played(READS, json_answer(409, code="templates_missing", faces=[{"face_id": "f", "identity_id": "i"}]))[2]
    assert error.faces[0].identity_id == "i"
    assert error.duplicates == ()


@pytest.mark.parametrize("status", [400, 404, 502])
def test_an_error_that_a_proxy_made_up(status):
    answer = httpx2.Response(status, headers={"x-request-id": "r"}, content=b"<html>Bad \xff gateway</html>")
    error = played(READS, answer)[2]
    assert (error.status, error.code, error.request_id) == (status, "http_error", "r")
    assert "gateway" in error.detail
    assert played(READS, httpx2.Response(status, content=b"[]"))[2].code == "http_error"


@pytest.mark.parametrize("content", [b"", b"<html>hello</html>", b"[]", b'{"faces": 3}', b'{"other": 1}', b"\xff"])
def test_an_answer_that_is_none(content):
    assert type(played(READS, httpx2.Response(200, content=content))[2]) is AnswerUnreadable


def test_waiting_for_a_job():
    seen = []
    queued, running = json_answer(200, **JOB | {"state": "queued"}), json_answer(200, **JOB)
    ended = json_answer(200, **JOB | {"state": "succeeded", "finished_at": "2026-05-04T09:31:00Z"})
    operation = jobs.wait("j", on_progress=lambda job: seen.append(job.state), every_s=7)
    pauses, calls, job = played(operation, queued, running, running, ended)
    assert (pauses, calls, job.state) == ([7, 7, 7], 4, "succeeded")
    assert seen == ["queued", "running", "succeeded"]
    failure = {"code": "job_interrupted", "detail": "why"}
    failed = json_answer(200, **JOB | {"state": "failed", "finished_at": "2026-05-04T09:31:00Z", "failure": failure})
    error = played(jobs.wait("j"), failed)[2]
    assert isinstance(error, JobFailed)
    assert str(error) == "job j failed: why (job_interrupted)"
    assert pickle.loads(pickle.dumps(error)).job == error.job  # noqa: S301 - our own
    error = played(jobs.wait("j", timeout_s=0.5), running)[2]
    assert isinstance(error, WaitTimedOut)
    assert str(error) == "job j is still running: 1 of 3"


def test_a_job_that_is_waited_for_survives_a_busy_service():
    ended = json_answer(200, **JOB | {"state": "succeeded", "finished_at": "2026-05-04T09:31:00Z"})
    pauses, calls, job = played(jobs.wait("j"), busy(), ended)
    assert (len(pauses), calls, job.state) == (1, 2, "succeeded")


def test_both_clients_take_the_same_steps():
    answers = (httpx2.ConnectError("refused"), json_answer(404, code="job_unknown", detail="d"))
    assert isinstance(played(jobs.get("j"), *answers)[2], NotFound)
    with client_of(Answers(*answers)) as client, pytest.raises(NotFound):
        client.jobs.get("j")

    async def awaited():
        async with async_client_of(Answers(*answers)) as client:
            with pytest.raises(NotFound):
                await client.jobs.get("j")

    asyncio.run(awaited())
