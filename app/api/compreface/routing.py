"""How CompreFace's routes are reached: with or without a slash at the end, as Spring matches them."""

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from app.errors import RequestInvalid


class CompreFaceRoute(APIRoute):
    """A route that also answers to its path with a slash at the end: many clients write `faces/?subject=...`."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path without its last slash, unless that slash is a part of a name (`%2F`)."""
        if _has_slash_at_end(scope):
            scope = {**scope, "path": scope["path"].removesuffix("/")}
        return super().matches(scope)


async def refuse_empty_name(request: Request) -> None:
    """Raise RequestInvalid if only an empty name or id stands between this path and the deletion of everybody."""
    if _has_slash_at_end(request.scope) and "subject" not in request.query_params:
        path = request.scope["path"]
        detail = f"the name or id after the slash is empty; {path.removesuffix('/')} without it deletes all"
        raise RequestInvalid(detail, [{"field": "path", "detail": detail}])


def _has_slash_at_end(scope: Scope) -> bool:
    return scope["path"].endswith("/") and not scope.get("raw_path", b"").lower().endswith(b"%2f")
