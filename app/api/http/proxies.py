"""Reverse proxies: the client's address as the proxies in `ARCID_PROXIES` report it, and the prefixes of all paths."""

import re
from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.api.http.versions import VERSION, is_versioned

_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")


class Proxies:
    """ASGI middleware around all others: the client's address, scheme, host and prefix from a trusted proxy's headers.

    The right-most address in `X-Forwarded-For` that is not a trusted proxy's counts: the client can forge those left of
    it. Without `ARCID_PROXIES` all these headers are ignored.
    """

    def __init__(self, app: ASGIApp, *, trusted: Collection[str], prefix: str, own: Collection[str]) -> None:
        """Set the default prefix; `own` has the first parts of the service's own paths."""
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
        if is_versioned(route_path(scope), self._own):
            prefix += VERSION
            scope["root_path"] = prefix
        if prefix:
            send = _prefixing(prefix, send)
        await self._forwarded(scope, receive, send)  # type: ignore[arg-type] # uvicorn's own types

    def _put_under(self, prefix: str, scope: MutableMapping[str, Any]) -> None:
        """Write the path as ASGI requires it: with the prefix, whether or not the proxy has removed it."""
        path: str = scope["path"]
        scope["root_path"] = prefix
        # A prefix that is also one of our own paths, as /api, can only have been removed.
        is_kept = path == prefix or path.startswith(f"{prefix}/")
        if not is_kept or prefix.split("/")[1] in {*self._own, VERSION[1:]}:
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
