"""Authentication: the API key of every request, checked before its body is read."""

import asyncio

import structlog
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.key_cache import Access
from app.access.keys import ANONYMOUS, Principal
from app.api.http.errors import respond
from app.api.http.permissions import SIGN_IN, is_open
from app.api.http.proxies import route_path
from app.api.http.rates import Rates, announcing
from app.database.audit import Actor, acting
from app.database.reconnecting import patience
from app.errors import ArcidError, KeyInvalid

_STRANGER = Principal(ANONYMOUS.name, frozenset())
"""A person who signs in. Their requests count as those without a key."""


class Authentication:
    """ASGI middleware inside `RequestContext`: sets `request.state.principal`, the caller and the audit trail's actor.

    It runs before the routes: a path that is not open (`app.api.http.permissions`) answers only with a key.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._refreshing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        principal: Principal | None = None
        rates: Rates = scope["app"].state.rates
        try:
            path = route_path(scope)
            if is_open(path) and path not in SIGN_IN:
                await self._require_own_host(scope)
            else:
                principal = _STRANGER if path in SIGN_IN else await self._known(scope)
                standings = await rates.admit(principal, scope)
                send = announcing(send, standings)
                rates.require(standings)
        except ArcidError as error:
            await respond(scope, error)(scope, receive, send)
            return
        if principal is None:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {}).update(principal=principal, standings=standings)
        if principal.key_id is not None:
            structlog.contextvars.bind_contextvars(key=principal.key_id)
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        with acting(Actor(principal.name, principal.key_id, request_id)):
            await self._app(scope, receive, send)

    async def _known(self, scope: Scope) -> Principal:
        """Return the caller. A valid key is served even if its address sent wrong ones: it may be a proxy's."""
        state = scope["app"].state
        try:
            with patience():
                principal = await self._principal(state.services.access, _presented(Headers(scope=scope)))
        except KeyInvalid:
            await state.rates.fail(scope)
            raise
        if principal.key_id is None:
            state.keyless.require(scope)
        return principal

    async def _require_own_host(self, scope: Scope) -> None:
        """Raise HostForbidden if a service without keys is asked for its readiness under another host name."""
        if route_path(scope) != "/readyz":  # the other open paths answer the same to everybody
            return
        state = scope["app"].state
        access: Access = state.services.access
        try:
            access.principal(None)  # raises if the service has had a key: then nothing to refresh
            await self._principal(access, None)
        except ArcidError:  # the service has keys, or the database does not answer
            return
        state.keyless.require_host(scope)

    async def _principal(self, access: Access, secret: str | None) -> Principal:
        if access.needs_refresh(secret):
            # One refresh for all that wait: they share its outcome, and a client that leaves does not cancel it.
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.create_task(to_thread.run_sync(access.refresh))
            await asyncio.shield(self._refreshing)
        return access.principal(secret)


def _presented(headers: Headers) -> str | None:
    """Return the key in `Authorization: Bearer` or `X-Api-Key`, None without one."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")
