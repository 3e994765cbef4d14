"""Routers of the API."""

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from app.access.keys import Scope
from app.api.http.openapi import PROBLEM_RESPONSES
from app.api.http.permissions import needs
from app.api.http.queries import require_known


def router_at(prefix: str = "", *, tag: str, scope: Scope | None, route_class: type[APIRoute] = APIRoute) -> APIRouter:
    """Return a router for the routes below a path, with our errors; `scope` is for routes that declare none."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        responses=PROBLEM_RESPONSES,
        dependencies=[needs(scope), Depends(require_known)],
        route_class=route_class,
    )
