"""Which scope each route needs. A route that is not listed needs `admin`, and a test fails until it is listed."""

from collections.abc import Mapping

from fastapi import Request

from app.access.keys import Principal, Scope

ANY_KEY = None
"""Any key will do, whatever its scopes."""

NEEDS: Mapping[tuple[str, str], Scope | None] = {
    ("POST", "/verify"): Scope.RECOGNISE,
    ("POST", "/identify"): Scope.RECOGNISE,
    ("POST", "/enroll"): Scope.ENROLL,
    ("POST", "/detect"): Scope.RECOGNISE,
    ("POST", "/embed"): Scope.RECOGNISE,
    ("POST", "/search"): Scope.SEARCH,
    ("GET", "/calibration"): Scope.RECOGNISE,
    ("GET", "/collections"): Scope.MANAGE,
    ("POST", "/collections"): Scope.MANAGE,
    ("GET", "/collections/{collection}"): Scope.MANAGE,
    ("PATCH", "/collections/{collection}"): Scope.MANAGE,
    ("DELETE", "/collections/{collection}"): Scope.MANAGE,
    ("GET", "/collections/{collection}/identities"): Scope.MANAGE,
    ("GET", "/collections/{collection}/identities/{identity_id}"): Scope.MANAGE,
    ("PATCH", "/collections/{collection}/identities/{identity_id}"): Scope.MANAGE,
    ("DELETE", "/collections/{collection}/identities/{identity_id}"): Scope.MANAGE,
    ("POST", "/collections/{collection}/identities/{identity_id}/merge"): Scope.MANAGE,
    ("GET", "/collections/{collection}/identities/{identity_id}/export"): Scope.MANAGE,
    ("GET", "/collections/{collection}/faces"): Scope.MANAGE,
    ("GET", "/collections/{collection}/faces/{face_id}"): Scope.MANAGE,
    ("DELETE", "/collections/{collection}/faces/{face_id}"): Scope.MANAGE,
    ("POST", "/collections/{collection}/faces/{face_id}/move"): Scope.MANAGE,
    ("GET", "/collections/{collection}/health"): Scope.MANAGE,
    ("GET", "/collections/{collection}/reembed"): Scope.MANAGE,
    ("POST", "/collections/{collection}/reembed"): Scope.MANAGE,
    ("POST", "/collections/{collection}/reembed/switch"): Scope.MANAGE,
    ("POST", "/collections/{collection}/reembed/rollback"): Scope.MANAGE,
    ("POST", "/collections/{collection}/reembed/discard"): Scope.MANAGE,
    ("GET", "/jobs"): Scope.MANAGE,
    ("POST", "/jobs"): Scope.MANAGE,
    ("GET", "/jobs/{job_id}"): Scope.MANAGE,
    ("POST", "/jobs/{job_id}/cancel"): Scope.MANAGE,
    ("GET", "/jobs/{job_id}/errors"): Scope.MANAGE,
    ("GET", "/jobs/{job_id}/events"): Scope.MANAGE,
    ("GET", "/jobs/{job_id}/archive"): Scope.MANAGE,
    ("POST", "/api/v1/recognition/recognize"): Scope.RECOGNISE,
    ("POST", "/api/v1/recognition/faces/{image_id}/verify"): Scope.RECOGNISE,
    ("POST", "/api/v1/recognition/embeddings/recognize"): Scope.SEARCH,
    ("POST", "/api/v1/recognition/embeddings/faces/{image_id}/verify"): Scope.SEARCH,
    ("POST", "/api/v1/detection/detect"): Scope.RECOGNISE,
    ("POST", "/api/v1/verification/verify"): Scope.RECOGNISE,
    ("POST", "/api/v1/verification/embeddings/verify"): Scope.RECOGNISE,
    ("POST", "/api/v1/recognition/subjects"): Scope.ENROLL,
    ("POST", "/api/v1/recognition/faces"): Scope.ENROLL,
    ("GET", "/api/v1/recognition/subjects"): Scope.MANAGE,
    ("PUT", "/api/v1/recognition/subjects/{subject}"): Scope.MANAGE,
    ("DELETE", "/api/v1/recognition/subjects/{subject}"): Scope.MANAGE,
    ("DELETE", "/api/v1/recognition/subjects"): Scope.MANAGE,
    ("GET", "/api/v1/recognition/faces"): Scope.MANAGE,
    ("GET", "/api/v1/recognition/faces/{image_id}/img"): Scope.MANAGE,
    ("DELETE", "/api/v1/recognition/faces/{image_id}"): Scope.MANAGE,
    ("DELETE", "/api/v1/recognition/faces"): Scope.MANAGE,
    ("POST", "/api/v1/recognition/faces/delete"): Scope.MANAGE,
    ("GET", "/models"): ANY_KEY,
    ("GET", "/metrics"): ANY_KEY,
}
OPEN = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
"""Paths that need no key."""
_OF_ALL_COLLECTIONS = frozenset({"/metrics"})
"""Paths that answer about all collections at once: not for a key that is for some of them."""
_OPEN_FOLDERS = ("/docs/assets/", "/web/")


def is_open(path: str) -> bool:
    """Say whether a request's path is answered to everybody; all others need a key, also those that lead nowhere."""
    return path in OPEN or path.startswith(_OPEN_FOLDERS)


def needed(method: str, path: str) -> Scope | None:
    """Return the scope for a route, by its path as in the OpenAPI document; None where any key will do.

    A path that is served with a slash at its end too needs the same.
    """
    return NEEDS.get((method, path.rstrip("/")), Scope.ADMIN)


async def authorise(request: Request) -> None:
    """Run before every route: the key's scope, and the collection that a path or query names.

    The collection that a body names is checked where the body is read, in `app.api.http.body`. Raises ScopeMissing,
    CollectionForbidden.
    """
    path = request.scope["route"].path_format
    if path in OPEN:
        return
    principal: Principal = request.state.principal
    scope = needed(request.method, path)
    if scope is not None:
        principal.require(scope)
    if path in _OF_ALL_COLLECTIONS:
        principal.require_all_collections()
    named = [*request.query_params.getlist("collection"), request.path_params.get("collection")]
    for collection in named:
        if collection is not None:
            principal.require_collection(collection)
