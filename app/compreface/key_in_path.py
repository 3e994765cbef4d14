"""The API key in the path of an image, as in `/api/v1/static/KEY/images/ID`, which web pages use in `<img>`."""

import re
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.http.proxies import route_path
from app.compreface.problems import PREFIX

_IMAGE = re.compile(rf"{re.escape(PREFIX)}static/([^/]+)/images/[^/]+/?")


class KeyInPath:
    """ASGI middleware around `Authentication`: presents the key in the path as the request's own and only one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = _IMAGE.fullmatch(route_path(scope)) if scope["type"] == "http" else None
        if found is not None:
            headers = MutableHeaders(scope=scope)
            del headers["authorization"]
            headers["x-api-key"] = quote(found[1])  # a wrong key may have any letters, a header may not
        await self._app(scope, receive, send)
