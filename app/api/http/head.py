"""HEAD: the answer to GET without its body, for every path that answers GET."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEFT_BY_ROUTES = ("route", "arcid.problem", "state")


class _HeadSent(Exception):
    """The head is sent; the body is not needed."""


class Head:
    """ASGI middleware inside `RequestContext`. To routes and permissions a HEAD request is a GET request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            elif message["type"] == "http.response.body":
                # CompreFace's errors are made from the body of a problem; the server does not send it.
                await send({**message, "more_body": False})
                raise _HeadSent  # stops files and event streams

        try:
            await self._app(as_get, receive, send_head)
        except* _HeadSent:  # event streams raise it from a group of tasks
            pass
        finally:
            scope.update({name: as_get[name] for name in _LEFT_BY_ROUTES if name in as_get})
