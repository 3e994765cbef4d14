"""Reverse proxies in front: what those in `ARCID_PROXIES` say of a client, and the prefix of the service's paths."""

import re
from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")


class Proxies:
    """ASGI middleware around all others: address, scheme, host and prefix of the client, where a proxy may name them.

    Of several addresses in `X-Forwarded-For` the right-most counts that is not a trusted proxy's: those left of it come
    from the client. Without `ARCID_PROXIES` all these headers are ignored.
    """

    def __init__(self, app: ASGIApp, *, trusted: Collection[str], prefix: str, own: Collection[str]) -> None:
        """Take the prefix that holds without `X-Forwarded-Prefix`, and the first parts of the service's own paths."""
        self._app = app
        self._forwarded = ProxyHeadersMiddleware(app, list(trusted))  # type: ignore[arg-type] # uvicorn's own types
        self._prefix = prefix
        self._own = frozenset(own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        prefix = self._prefix
        if (scope.get("client") or ("",))[0] in self._forwarded.trusted_hosts:
            headers = Headers(scope=scope)
            given = headers.get("x-forwarded-prefix", "").rstrip("/")
            prefix = given if _PREFIX.fullmatch(given) else prefix
            host = headers.get("x-forwarded-host", "")
            if _HOST.fullmatch(host):
                others = [each for each in scope["headers"] if each[0] != b"host"]
                scope["headers"] = [(b"host", host.encode()), *others]
        if prefix:
            self._put_under(prefix, scope)
            send = _prefixing(prefix, send)
        await self._forwarded(scope, receive, send)  # type: ignore[arg-type] # uvicorn's own types

    def _put_under(self, prefix: str, scope: MutableMapping[str, Any]) -> None:
        """Write the path as ASGI wants it: with the prefix, whether the proxy has taken it away or not."""
        path: str = scope["path"]
        scope["root_path"] = prefix
        # A prefix that is one of our own paths too, as /api, can only have been taken away.
        is_kept = path == prefix or path.startswith(f"{prefix}/")
        if not is_kept or prefix.split("/")[1] in self._own:
            scope["path"] = prefix + path
            scope["raw_path"] = prefix.encode() + scope.get("raw_path", path.encode())


def _prefixing(prefix: str, send: Send) -> Send:
    """Return a `send` that puts the prefix before the path of a `Location`."""

    async def send_with_prefix(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("location", "").startswith("/"):
                headers["Location"] = prefix + headers["Location"]
        await send(message)

    return send_with_prefix


def route_path(scope: Scope) -> str:
    """Return the path below the prefix, as the routes know it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
