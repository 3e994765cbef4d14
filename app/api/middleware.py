"""What every request passes: its id, its stage timings, its size limit, its log line, and the last-resort handler."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import problem, status_of
from app.errors import ArcidError, BodyTooLarge
from app.observability.logs import get_logger
from app.observability.stages import recording, server_timing

_log = get_logger(__name__)
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestContext:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

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
                    if stages:
                        answer["Server-Timing"] = server_timing(stages)
                await send(message)

            try:
                limited = _limited(receive, headers.get("content-length", ""), self._most_bytes)
                await self._app(scope, limited, send_with_headers)
            except ClientDisconnect:
                _log.info("request.abandoned", method=scope["method"], path=scope["path"])
                return
            except ArcidError as error:
                await _answer(error, status, scope, receive, send_with_headers)
            except Exception:  # noqa: BLE001 - the last resort: whatever failed, the client gets a problem
                _log.exception("request.failed", method=scope["method"], path=scope["path"])
                await _answer(None, status, scope, receive, send_with_headers)
            _log.info(
                "request.done",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 1),
                **{f"{name}_ms": round(seconds * 1000, 1) for name, seconds in stages.items()},
            )


def _limited(receive: Receive, announced: str, most_bytes: int) -> Receive:
    """Count the body's bytes as they come; one too many, or announced, and reading stops."""
    if announced.isdecimal() and int(announced) > most_bytes:
        raise BodyTooLarge(_too_large(most_bytes))
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most_bytes:
            raise BodyTooLarge(_too_large(most_bytes))
        return message

    return limited


def _too_large(most_bytes: int) -> str:
    return f"the body is too large; at most {most_bytes:,} bytes are accepted"


async def _answer(error: ArcidError | None, status: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem unless an answer has begun; what went wrong inside stays inside."""
    if status:
        return
    if error is None:
        answer = problem(500, ArcidError.code, "the service failed; its log has the details under this request's id")
    else:
        answer = problem(status_of(type(error)), error.code, str(error))
    await answer(scope, receive, send)
