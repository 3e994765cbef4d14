"""API keys: create, list, revoke; and the permissions of the caller."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request, Response

from app.access.keys import KeyState, Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.keyless import Keyless
from app.api.http.permissions import ANY_KEY, needs
from app.api.http.routing import router_at
from app.api.schemas.keys import CallerSchema, CreatedKeySchema, KeyId, KeyRequest, KeySchema, KeysPage
from app.api.schemas.paging import After, Limit, cursor_of
from app.errors import FirstKeyForbidden, HostForbidden, OriginForbidden

router = router_at(tag="administration", scope=Scope.ADMIN)


@router.get("/me", dependencies=[needs(ANY_KEY)])
async def get_caller(request: Request, principal: PrincipalDependency) -> CallerSchema:
    """Return the caller's permissions."""
    return CallerSchema.of(principal, is_on_this_machine=_is_on_this_machine(request))


@router.post("/keys", status_code=201)
async def create_key(
    key: Annotated[KeyRequest, Depends(JsonBody(KeyRequest))],
    request: Request,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    response: Response,
) -> CreatedKeySchema:
    """Create an API key, and return its secret once; without keys, only the first one, and only on this machine."""
    if principal.key_id is None:
        Keyless.require_this_machine(request.scope)
        made, secret = await workers.run(services.key_service.create_first, key.value())
    else:
        made, secret = await workers.run(services.key_service.create, principal, key.value())
    response.headers["Location"] = f"/keys/{made.key_id}"
    response.headers["Cache-Control"] = "no-store"
    return CreatedKeySchema(**KeySchema.of(made, datetime.now(UTC)).model_dump(), secret=secret)


@router.get("/keys")
async def list_keys(
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    after: After,
    limit: Limit = 50,
    state: Annotated[KeyState | None, Query(description="Only keys in this state.")] = None,
) -> KeysPage:
    """List the API keys without their secrets, the oldest first; a key for some collections sees no keys for others."""
    page = await workers.run(services.key_service.page, principal, state=state, after=after, limit=limit)
    now = datetime.now(UTC)
    return KeysPage(keys=[KeySchema.of(each, now) for each in page.items], next_cursor=cursor_of(page.after))


@router.get("/keys/{key_id}")
async def get_key(
    key_id: KeyId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> KeySchema:
    """Return an API key without its secret, also a revoked one."""
    return KeySchema.of(await workers.run(services.key_service.get, principal, key_id), datetime.now(UTC))


@router.delete("/keys/{key_id}")
async def revoke_key(
    key_id: KeyId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> KeySchema:
    """Revoke an API key for good. The last key with scope `admin` for all collections cannot be revoked here."""
    return KeySchema.of(await workers.run(services.key_service.revoke, principal, key_id), datetime.now(UTC))


def _is_on_this_machine(request: Request) -> bool:
    try:
        Keyless.require_this_machine(request.scope)
    except (FirstKeyForbidden, HostForbidden, OriginForbidden):
        return False
    return True
