"""Problems in the form of another API, for the routes that answer for it.

The conversion happens once, when an answer is sent, so routes, key checks and limits need not know it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from app.api.http.proxies import route_path

_PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """The errors of the paths below `prefix`: `reword` takes a problem (RFC 9457), the request's method and its path.

    It returns the status and the content in the other form.
    """

    prefix: str
    reword: Callable[[Mapping[str, Any], str, str], tuple[int, dict[str, Any]]]


def reshaping(forms: Sequence[ErrorForm]) -> Callable[[Scope, Send], Send]:
    """Return a function that wraps the `send` of a request: problems get the form of its path."""

    def reshape(scope: Scope, send: Send) -> Send:
        path = route_path(scope)
        form = next((each for each in forms if path.startswith(each.prefix)), None)
        return send if form is None else _reshaped(form, scope["method"], path, send)

    return reshape


def _reshaped(form: ErrorForm, method: str, path: str, send: Send) -> Send:
    """Return a `send` that converts problems; other messages pass unchanged."""
    held: Message | None = None
    body = b""

    async def reshaped(message: Message) -> None:
        nonlocal held, body
        if message["type"] == "http.response.start" and _is_problem(message):
            held = message
            return
        if held is None:
            await send(message)
            return
        body += message.get("body", b"")
        if not message.get("more_body", False):
            start, held = held, None
            start["status"], error = form.reword(json.loads(body), method, path)
            content = json.dumps(error, ensure_ascii=False).encode()
            headers = MutableHeaders(scope=start)
            headers["content-type"] = "application/json"
            headers["content-length"] = str(len(content))
            await send(start)
            await send({**message, "body": content})

    return reshaped


def _is_problem(start: Message) -> bool:
    return MutableHeaders(scope=start).get("content-type", "").startswith(_PROBLEM)
