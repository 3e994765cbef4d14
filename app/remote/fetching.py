"""Fetching of photos from URLs, protected against server-side request forgery."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import httpcore2
from httpx2 import InvalidURL

from app.errors import Overloaded, TooManyBytes, UrlNotAllowed, UrlUnreachable
from app.remote.addresses import is_public
from app.remote.http_authentication import authorization_of
from app.remote.pinning import (
    CONNECT_S,
    FAILURES,
    HostRefused,
    PinnedBackend,
    Resolve,
    checked_addresses,
    system_resolver,
)
from app.remote.urls import LONGEST, UrlTarget

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNAUTHORIZED = 401
_HEADERS = (
    (b"Accept", b"image/*"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"arcid"),
    (b"Connection", b"close"),
)


class TargetRules(Protocol):
    """Rules for the URLs to fetch from."""

    def target(self, text: str) -> UrlTarget:
        """Return the target of a URL; raises UrlNotAllowed."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits of fetching: `seconds` per deadline, `max_bytes` per photo, redirects, and parallel fetches `at_once`."""

    max_bytes: int
    seconds: float
    redirects: int
    at_once: int


class Fetcher:
    """Fetches photos in one event loop, up to `at_once` in parallel.

    For each hop, the host is resolved once. All its addresses must be public, and the fetcher connects only to these
    addresses, even if the name resolves differently a moment later. TLS and the `Host` header still use the name. The
    fetcher keeps no connections, cookies or content, uses no proxy, and refuses compressed answers. If the rules allow
    a user name in a URL, it answers a challenge of the host with it.
    """

    def __init__(
        self,
        rules: TargetRules,
        limits: FetchLimits,
        *,
        resolve: Resolve | None = None,
        is_allowed: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._limits = limits
        self._resolve = resolve or system_resolver(limits.at_once)
        self._is_allowed = is_allowed
        self._tls = tls or httpcore2.default_ssl_context()
        self._slots = asyncio.Semaphore(limits.at_once)

    def deadline(self) -> float:
        """Return the deadline of fetches that start now, on the clock of the event loop."""
        return asyncio.get_running_loop().time() + self._limits.seconds

    async def fetch(self, url: str, deadline: float, on_bytes: Callable[[int], None] = lambda _: None) -> bytes:
        """Return the content of a photo; `on_bytes` is called with the size of each received part, and may raise.

        Raises UrlNotAllowed, UrlUnreachable, TooManyBytes, and Overloaded if no slot became free before the deadline.
        """
        target = self._rules.target(url)
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            raise Overloaded("too many photos are being fetched") from None
        try:
            async with asyncio.timeout_at(deadline):
                return await self._follow(target, on_bytes)
        except TimeoutError:
            raise _unreachable(target, "it took too long") from None
        finally:
            self._slots.release()

    async def _follow(self, first: UrlTarget, on_bytes: Callable[[int], None]) -> bytes:
        target, authorization = first, b""
        for _ in range(self._limits.redirects + 1 + bool(first.url.userinfo)):
            async with self._response(target, authorization) as response:
                if response.status == _UNAUTHORIZED and target.url.userinfo and not authorization:
                    authorization = authorization_of(target.url, _header(response, b"www-authenticate") or b"")
                    continue
                if response.status not in _REDIRECTS:
                    return await self._body(target, response, on_bytes)
                location = _header(response, b"location")
            target = self._next(first, target, location)
        raise _unreachable(first, "too many redirects")

    def _next(self, first: UrlTarget, target: UrlTarget, location: bytes | None) -> UrlTarget:
        """Return the target of a redirect, checked by all rules. Only the log shows which rule failed."""
        try:
            if not location or len(location) > LONGEST:
                raise UrlNotAllowed("the redirect has no valid address")  # noqa: TRY301 - reported like the others
            return self._rules.target(str(target.url.join(location.decode("ascii"))))
        except (UrlNotAllowed, InvalidURL, ValueError) as error:
            raise _unreachable(first, f"redirect: {error}") from error

    @asynccontextmanager
    async def _response(self, target: UrlTarget, authorization: bytes) -> AsyncIterator[httpcore2.Response]:
        backend = PinnedBackend(await self._addresses(target))
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.url.raw_path or b"/"
        )
        headers = [(b"Host", target.url.netloc), *_HEADERS]
        headers += [(b"Authorization", authorization)] if authorization else []
        try:
            async with (
                httpcore2.AsyncConnectionPool(self._tls, max_connections=1, network_backend=backend) as pool,
                pool.stream("GET", url, headers=headers, extensions={"timeout": {"connect": CONNECT_S}}) as response,
            ):
                yield response
        except FAILURES as error:
            raise _unreachable(target, type(error).__name__) from error

    async def _addresses(self, target: UrlTarget) -> list[str]:
        try:
            return await checked_addresses(target.host, target.port, resolve=self._resolve, is_allowed=self._is_allowed)
        except HostRefused as error:
            raise _unreachable(target, str(error)) from error

    async def _body(self, target: UrlTarget, response: httpcore2.Response, on_bytes: Callable[[int], None]) -> bytes:
        if response.status != 200:
            raise _unreachable(target, f"status {response.status}")
        encoding = _header(response, b"content-encoding")
        if encoding and encoding.lower() != b"identity":
            raise _unreachable(target, "a compressed answer")
        content_length = _header(response, b"content-length") or b""
        max_bytes = self._limits.max_bytes
        if content_length.isdigit() and int(content_length[:20]) > max_bytes:
            raise _too_large(max_bytes)
        body = bytearray()
        async for part in response.aiter_stream():
            if len(body) + len(part) > max_bytes:
                raise _too_large(max_bytes)
            on_bytes(len(part))
            body += part
        return bytes(body)


def _header(response: httpcore2.Response, name: bytes) -> bytes | None:
    return next((value for header, value in response.headers if header.lower() == name), None)


def _unreachable(target: UrlTarget, reason: str) -> UrlUnreachable:
    # The message is always the same, so that clients cannot probe the network of this machine. The path is omitted,
    # because it may contain a signature.
    return UrlUnreachable("the URL gave no photo", f"{target.host}: {reason}")


def _too_large(max_bytes: int) -> TooManyBytes:
    return TooManyBytes(max_bytes)
