"""Sign-in of people with an OpenID provider, and their sessions."""

from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request

from app.access.keys import Scope
from app.access.oidc.sign_in import SignInService
from app.api.http.body import JsonBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.permissions import ANY_KEY, needs
from app.api.http.routing import router_at
from app.api.schemas.keys import KeyId
from app.api.schemas.sign_in import (
    AddressRequest,
    ProviderSchema,
    SessionRequest,
    SessionSchema,
    SessionsSchema,
    SignInAddress,
    SignInOptions,
    StartedSession,
)
from app.container import Container
from app.errors import SessionUnknown, SignInDisabled

router = router_at(tag="administration", scope=Scope.ADMIN)


@router.get("/sign-in")
async def get_sign_in(services: ServicesDependency) -> SignInOptions:
    """Return the OpenID provider with which people can sign in. This needs no key."""
    is_on = services.sign_in is not None
    return SignInOptions(provider=ProviderSchema(name=services.settings.oidc.name) if is_on else None)


@router.post("/sign-in/address")
async def get_sign_in_address(
    body: Annotated[AddressRequest, Depends(JsonBody(AddressRequest))], request: Request, services: ServicesDependency
) -> SignInAddress:
    """Return the provider's address to which the page sends a person: authorization code flow with PKCE."""
    address = partial(
        _required(services).provider.authorization_url,
        body.redirect_uri,
        state=body.state,
        nonce=body.nonce,
        code_challenge=body.code_challenge,
    )
    return SignInAddress(url=await to_thread.run_sync(address, limiter=request.app.state.sign_ins))


@router.post("/sign-in/session", status_code=201)
async def start_session(
    body: Annotated[SessionRequest, Depends(JsonBody(SessionRequest))], request: Request, services: ServicesDependency
) -> StartedSession:
    """Exchange the provider's code for a session, whose `key` works like an API key until `expires_at`."""
    sign_in = partial(
        _required(services).sign_in,
        body.code,
        code_verifier=body.code_verifier,
        nonce=body.nonce,
        redirect_uri=body.redirect_uri,
    )
    session, key = await to_thread.run_sync(sign_in, limiter=request.app.state.sign_ins)
    await to_thread.run_sync(services.access.refresh)  # this process accepts the session at once
    return StartedSession(**SessionSchema.of(session).model_dump(), key=key)


@router.get("/sessions", dependencies=[needs(Scope.ADMIN, is_about_all_collections=True)])
async def list_sessions(services: ServicesDependency, workers: WorkersDependency) -> SessionsSchema:
    """List the sessions that have not expired, oldest first."""
    return SessionsSchema(sessions=[SessionSchema.of(each) for each in await workers.run(services.sessions.all)])


@router.delete("/sessions/current", status_code=204, dependencies=[needs(ANY_KEY)])
async def end_current_session(
    services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> None:
    """Sign out: end the session that sends the request. It stops working within a second."""
    if principal.key_id is None:
        raise SessionUnknown("this request has no session")
    await workers.run(services.sessions.end, principal.key_id)


@router.delete(
    "/sessions/{session_id}", status_code=204, dependencies=[needs(Scope.ADMIN, is_about_all_collections=True)]
)
async def end_session(session_id: KeyId, services: ServicesDependency, workers: WorkersDependency) -> None:
    """End anybody's session. It stops working within a second."""
    await workers.run(services.sessions.end, session_id)


def _required(services: Container) -> SignInService:
    if services.sign_in is None:
        raise SignInDisabled("people cannot sign in here: set ARCID_OIDC__ISSUER, or use an API key")
    return services.sign_in
