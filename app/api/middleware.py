"""What every request passes: its id, its stage timings, its size limit, its log line, and the last-resort handler."""

import re
import time
from asyncio import CancelledError
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.admission import Admission
from app.api.errors import note, problem, status_of
from app.api.intake import Intake
from app.api.metrics import Metrics
from app.errors import ArcidError, ShuttingDown
from app.observability.logs import get_logger
from app.observability.stages import recording, server_timing

_log = get_logger(__name__)
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestContext:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, intake: Intake, admission: Admission, metrics: Metrics) -> None:
        self._app = app
        self._intake = intake
        self._admission = admission
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        started, status = time.perf_counter(), 0
        with recording() as stages, structlog.contextvars.bound_contextvars(request_id=request_id):

            async def send_with_headers(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    answer = MutableHeaders(scope=message)
                    answer["X-Request-ID"] = request_id
                    if self._admission.is_draining:
                        answer["Connection"] = "close"
                    if stages:
                        answer["Server-Timing"] = server_timing(stages)
                await send(message)

            try:
                with self._intake.limited(receive, headers.get("content-length", "")) as limited:
                    await self._app(scope, limited, send_with_headers)
            except ClientDisconnect:
                self._metrics.abandoned()
                _log.info("request.abandoned", method=scope["method"], path=scope["path"])
                return
            except CancelledError:  # by the server, once the time for a graceful end is over
                await _answer(_stopped(), status, scope, receive, send_with_headers)
            except ArcidError as error:
                await _answer(error, status, scope, receive, send_with_headers)
            except Exception:  # noqa: BLE001 - the last resort: whatever failed, the client gets a problem
                _log.exception("request.failed", method=scope["method"], path=scope["path"])
                await _answer(None, status, scope, receive, send_with_headers)
            self._done(scope, status, time.perf_counter() - started, stages)

    def _done(self, scope: Scope, status: int, seconds: float, stages: dict[str, float]) -> None:
        """Count the answer and write its line."""
        route, code = _route(scope), scope.get("arcid.problem")
        self._metrics.answered(scope["method"], route, status, seconds, stages)
        if code:
            self._metrics.refused(code)
        _log.info(
            "request.done",
            method=scope["method"],
            path=scope["path"],
            route=route,
            status=status,
            **({"code": code} if code else {}),
            ms=round(seconds * 1000, 1),
            **{f"{name}_ms": round(each * 1000, 1) for name, each in stages.items()},
        )


def _stopped() -> ShuttingDown:
    return ShuttingDown("the service stopped before this was done; what was to be written may have been, or not")


def _route(scope: Scope) -> str:
    """Return the template of the path; one word for all paths that no route knows, so that they stay few."""
    path: str = getattr(scope.get("route"), "path", "other")
    return path


async def _answer(error: ArcidError | None, status: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem unless an answer has begun; what went wrong inside stays inside."""
    if status:
        return
    note(scope, error.code if error else ArcidError.code)
    if error is None:
        answer = problem(500, ArcidError.code, "the service failed; its log has the details under this request's id")
    else:
        answer = problem(status_of(type(error)), error.code, str(error))
    await answer(scope, receive, send)
