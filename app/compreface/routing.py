"""Routing of CompreFace's API: paths and parameters as Spring matches and reads them."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.routing import Match
from starlette.types import Scope

from app.access.keys import Scope as KeyScope
from app.api.http.permissions import needs
from app.compreface.parameters import MergedRequest, named, read_parameters
from app.compreface.problems import PREFIX, RESPONSES
from app.errors import RequestInvalid


class CompreFaceRoute(APIRoute):
    """A route that also answers to its path with a slash at the end: many clients write `faces/?subject=...`."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path without its last slash, unless the slash is part of a name (`%2F`)."""
        if _has_slash_at_end(scope):
            scope = {**scope, "path": scope["path"].removesuffix("/")}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which gets requests with merged parameters."""
        handle = super().get_route_handler()

        async def handle_merged(request: Request) -> Response:
            return await handle(MergedRequest(request.scope, request.receive))

        return handle_merged


def router_at(path: str = "", *, scope: KeyScope) -> APIRouter:
    """Return a router for the routes below `/api/v1/PATH`, which need a scope."""
    return APIRouter(
        tags=["compreface"],
        responses=RESPONSES,
        prefix=f"{PREFIX}{path}".rstrip("/"),
        route_class=CompreFaceRoute,
        dependencies=[needs(scope), Depends(read_parameters)],
    )


def require_all_meant(request: Request) -> None:
    """Raise RequestInvalid if a request to delete all entries may mean a single one.

    An empty name after the slash, or a name in an unknown parameter, must not delete all.
    """
    path = request.scope["path"].removesuffix("/")
    if _has_slash_at_end(request.scope):
        detail = f"the name or id after the slash is empty; {path} without the slash deletes all"
        raise RequestInvalid.at("path", detail)
    unknown = sorted(named(request) - {"collection"})
    if unknown:
        detail = f"this parameter is unknown here; {path} without parameters deletes all"
        raise RequestInvalid(detail, [{"field": f"query.{each}", "detail": detail} for each in unknown])


def require_whole_name(request: Request) -> None:
    """Raise RequestInvalid if the query may be the rest of a name: clients send `A?b` as the name `A` and a query."""
    if unknown := sorted(QueryParams(request.scope["query_string"]).keys() - {"collection"}):
        detail = "this parameter is unknown here; in a name, a question mark is sent as %3F"
        raise RequestInvalid(detail, [{"field": f"query.{each}", "detail": detail} for each in unknown])


def _has_slash_at_end(scope: Scope) -> bool:
    return scope["path"].endswith("/") and not scope.get("raw_path", b"").lower().endswith(b"%2f")
