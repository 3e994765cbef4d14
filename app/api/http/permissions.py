"""Permissions: the scope that each route declares, and the collections that a key is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request, params
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from app.access.keys import Principal, Scope

ANY_KEY = None
"""In place of a scope: any key will do."""
_OPEN_FOLDERS = ("/docs/assets/", "/web/")
SIGN_IN = frozenset({"/sign-in", "/sign-in/address", "/sign-in/session"})
"""Open paths of people who sign in; they count on the rates of callers without a key."""
OPEN = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json", *SIGN_IN})
"""Paths that need no key."""


@dataclass(frozen=True)
class Needs:
    """Declaration of the scope that a route needs, and whether it covers all collections at once.

    It is a dependency, so that a router or a route carries it; `authorise` reads it before any of them runs.
    """

    scope: Scope | None
    is_about_all_collections: bool = False

    async def __call__(self) -> None:
        """Do nothing."""


def needs(scope: Scope | None, *, is_about_all_collections: bool = False) -> params.Depends:
    """Return the dependency that declares a scope: `APIRouter(dependencies=[needs(Scope.MANAGE)])`.

    A route's own declaration comes before its router's.
    """
    return params.Depends(Needs(scope, is_about_all_collections))


class _Route(Protocol):
    @property
    def dependencies(self) -> Sequence[params.Depends]: ...


def declared(route: _Route) -> Needs:
    """Return the declaration of a route; a route without one needs `admin`."""
    for each in reversed(route.dependencies):
        if isinstance(each.dependency, Needs):
            return each.dependency
    return Needs(Scope.ADMIN)


def scopes(routes: Sequence[BaseRoute]) -> Mapping[tuple[str, str], Scope | None]:
    """Return the scope of each method and path, the path as in the OpenAPI document."""
    contexts = [each for each in iter_route_contexts(routes) if each.methods and not is_open(str(each.path_format))]
    return {(method, str(each.path_format)): declared(each).scope for each in contexts for method in each.methods or ()}


def is_open(path: str) -> bool:
    """Say whether a path needs no key; all others need one, also those without a route."""
    return path in OPEN or path.startswith(_OPEN_FOLDERS)


async def authorise(request: Request) -> None:
    """Check the key's scope, and the collection that a path or query names; runs before every route.

    The collection that a body names is checked where the body is read, in `app.api.http.body`. Raises ScopeMissing,
    CollectionForbidden.
    """
    route = request.scope["route"]
    if route.path_format in OPEN:
        return
    principal: Principal = request.state.principal
    needed = declared(route)
    if needed.scope is not None:
        principal.require(needed.scope)
    if needed.is_about_all_collections:
        principal.require_all_collections()
    named = [*request.query_params.getlist("collection"), request.path_params.get("collection")]
    for collection in named:
        if collection is not None:
            principal.require_collection(collection)
