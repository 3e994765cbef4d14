"""Middleware around every request: request id, stage timings, size limit, log line, last-resort handler."""

import re
import time
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http import outcomes
from app.api.http.admission import Admission
from app.api.http.body_budget import BodyBudget
from app.api.http.deprecation import announce
from app.api.http.errors import note, problem, respond
from app.api.http.metrics import Metrics
from app.api.http.proxies import route_path
from app.api.http.tus import is_streamed
from app.api.http.utf8 import require_utf8
from app.errors import ArcidError, ContentEncodingUnsupported, ShuttingDown
from app.observability.logs import get_logger
from app.observability.stages import recording, server_timing, traced

if TYPE_CHECKING:
    from app.observability.tracing import RequestSpan, Tracing

_log = get_logger(__name__)
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestContext:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_budget: BodyBudget,
        admission: Admission,
        metrics: Metrics,
        reshape: Callable[[Scope, Send], Send],
        tracing: "Tracing | None" = None,
    ) -> None:
        """With `reshape`, problems are sent in the form of another API; it wraps the `send` of a request."""
        self._app = app
        self._body_budget = body_budget
        self._admission = admission
        self._metrics = metrics
        self._reshape = reshape
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        started, status = time.perf_counter(), 0
        span = self._span(scope, headers)
        bound = {"request_id": request_id, **({"trace_id": span.trace_id} if span else {})}
        with recording() as stages, traced(span), structlog.contextvars.bound_contextvars(**bound):

            async def send_with_headers(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = int(message["status"])
                    answer = MutableHeaders(scope=message)
                    answer["X-Request-ID"] = request_id
                    answer["X-Content-Type-Options"] = "nosniff"  # browsers must not treat an answer as a page
                    if self._admission.is_draining:
                        answer["Connection"] = "close"
                    announce(scope, answer)
                    if stages:
                        answer["Server-Timing"] = server_timing(stages)
                await send(message)

            sending = self._reshape(scope, send_with_headers)
            try:
                require_utf8(scope)
                _require_plain(headers)
                with self._limited(scope, receive, headers) as limited:
                    await self._app(scope, limited, sending)
            except ClientDisconnect:
                self._metrics.abandoned()
                _log.info("request.abandoned", method=scope["method"], route=_route(scope))
                _end(span, scope, None)
                return
            except CancelledError:  # the server cancels requests after the time of the graceful stop
                await _answer(_stopped(), status, scope, receive, sending)
            except ArcidError as error:
                await _answer(error, status, scope, receive, sending)
            except Exception:  # noqa: BLE001 - the last resort: whatever failed, the client gets a problem
                _log.exception("request.failed", method=scope["method"], route=_route(scope))
                await _answer(None, status, scope, receive, sending)
            ended = time.perf_counter()
            _end(span, scope, status)
            self._done(scope, status, ended - started, stages)

    def _limited(self, scope: Scope, receive: Receive, headers: Headers) -> AbstractContextManager[Receive]:
        """Return the `receive` of a request with the limits of its body."""
        if is_streamed(route_path(scope)):
            return self._body_budget.streamed(receive)
        return self._body_budget.limited(receive, headers.get("content-length", ""))

    def _span(self, scope: Scope, headers: Headers) -> "RequestSpan | None":
        """Start the span of a request; probes, which come every second, have none."""
        if self._tracing is None or route_path(scope) in _UNTRACED:
            return None
        server = scope.get("server") or ("unknown", None)
        return self._tracing.request(scope["method"], headers, scheme=scope["scheme"], server=server)

    def _done(self, scope: Scope, status: int, seconds: float, stages: dict[str, float]) -> None:
        """Count the answer and write its log line."""
        route, code = _route(scope), scope.get("arcid.problem")
        self._metrics.answered(scope["method"], route, status, seconds, stages)
        outcomes.count(scope, _known_route(scope), seconds)
        if code:
            self._metrics.refused(code)
        _log.info(
            "request.done",
            method=scope["method"],
            route=route,  # never the path: it may hold an identity's id
            status=status,
            **({"code": code} if code else {}),
            ms=round(seconds * 1000, 1),
            **{f"{name}_ms": round(each * 1000, 1) for name, each in stages.items()},
        )


def _require_plain(headers: Headers) -> None:
    """Refuse compressed bodies: photos and archives are compressed already, and a small body could become huge."""
    encoding = headers.get("content-encoding", "").strip().lower()
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body and encoding not in {"", "identity"}:
        raise ContentEncodingUnsupported(
            f"the body is compressed (Content-Encoding: {encoding[:100]}); send it as it is, without that header"
        )


def _end(span: "RequestSpan | None", scope: Scope, status: int | None) -> None:
    """End the span of a request; a status of None means that its client has left."""
    if span is None:
        return
    if status is None:
        span.record_disconnect(_known_route(scope))
    else:
        span.record_answer(_known_route(scope), status, scope.get("arcid.problem"))
    span.end(time.perf_counter())


def _stopped() -> ShuttingDown:
    return ShuttingDown("the service stopped during this request; its changes may or may not have been stored")


def _route(scope: Scope) -> str:
    """Return the template of the path, or `other` for unknown paths: a metric's labels must stay few."""
    return _known_route(scope) or "other"


def _known_route(scope: Scope) -> str | None:
    path: str | None = getattr(scope.get("route"), "path", None)
    return path


async def _answer(error: ArcidError | None, status: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem unless an answer has started; internal errors stay in the log."""
    if status:
        return
    if error is None:
        note(scope, ArcidError.code)
        answer = problem(500, ArcidError.code, "the service failed; its log has the details under this request's id")
    else:
        answer = respond(scope, error)
    await answer(scope, receive, send)
