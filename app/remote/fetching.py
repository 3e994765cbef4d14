"""A photo from another machine, fetched so that nobody can use it to reach what only this machine reaches."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore2
from anyio import CapacityLimiter, to_thread
from httpx2 import InvalidURL

from app.errors import Overloaded, TooManyBytes, UrlNotAllowed, UrlUnreachable
from app.remote.addresses import is_public
from app.remote.urls import LONGEST, Rules, Target

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Takes host and port, returns addresses; raises OSError."""

_MOST_ADDRESSES = 4
_CONNECT_S = 3.0  # to one address; the next one is tried then
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = (
    (b"Accept", b"image/*"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"arcid"),
    (b"Connection", b"close"),
)
_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`seconds` are for all that is fetched by one deadline, `most_bytes` for one photo."""

    most_bytes: int
    seconds: float
    redirects: int
    at_once: int


class Fetcher:
    """Fetches photos, `at_once` at the same time. For one event loop.

    A host's addresses are looked up once for each hop; all of them must be public, and the connection goes to one of
    exactly those, whatever the name means a moment later. TLS and `Host` still speak of the name. Nothing is kept: no
    connection, cookie or content; no proxy is used; a compressed answer is refused.
    """

    def __init__(
        self,
        rules: Rules,
        bounds: Bounds,
        *,
        resolve: Resolve | None = None,
        is_allowed: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._bounds = bounds
        self._resolve = resolve or _system_resolver(bounds.at_once)
        self._is_allowed = is_allowed
        self._tls = tls or httpcore2.default_ssl_context()
        self._places = asyncio.Semaphore(bounds.at_once)

    def deadline(self) -> float:
        """Return until when, on the event loop's clock, what is asked for now must be here."""
        return asyncio.get_running_loop().time() + self._bounds.seconds

    async def fetch(self, url: str, deadline: float, hold: Callable[[int], None] = lambda _: None) -> bytes:
        """Return a photo's bytes; `hold` is told how many came each time, and may raise.

        Raises UrlNotAllowed, UrlUnreachable, TooManyBytes, and Overloaded when no place came free in time.
        """
        target = self._rules.target(url)
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded("too many photos are being fetched") from None
        try:
            async with asyncio.timeout_at(deadline):
                return await self._follow(target, hold)
        except TimeoutError:
            raise _unreachable(target, "it took too long") from None
        finally:
            self._places.release()

    async def _follow(self, first: Target, hold: Callable[[int], None]) -> bytes:
        target = first
        for _ in range(self._bounds.redirects + 1):
            async with self._answer(target) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._body(target, answer, hold)
                location = _header(answer, b"location")
            target = self._next(first, target, location)
        raise _unreachable(first, "too many redirects")

    def _next(self, first: Target, target: Target, location: bytes | None) -> Target:
        """Return where a redirect leads. Every rule holds again; that one of them failed is for the log only."""
        try:
            if not location or len(location) > LONGEST:
                raise UrlNotAllowed("the redirect has no valid address")  # noqa: TRY301 - told the same way
            return self._rules.target(str(target.url.join(location.decode("ascii"))))
        except (UrlNotAllowed, InvalidURL, ValueError) as error:
            raise _unreachable(first, f"redirect: {error}") from error

    @asynccontextmanager
    async def _answer(self, target: Target) -> AsyncIterator[httpcore2.Response]:
        backend = _Pinned(await self._addresses(target))
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.url.raw_path or b"/"
        )
        headers = [(b"Host", target.url.netloc), *_HEADERS]
        try:
            async with (
                httpcore2.AsyncConnectionPool(self._tls, max_connections=1, network_backend=backend) as pool,
                pool.stream("GET", url, headers=headers, extensions={"timeout": {"connect": _CONNECT_S}}) as answer,
            ):
                yield answer
        except _FAILURES as error:
            raise _unreachable(target, type(error).__name__) from error

    async def _addresses(self, target: Target) -> list[str]:
        try:
            found = list(dict.fromkeys(await self._resolve(target.host, target.port)))
        except (OSError, UnicodeError) as error:
            raise _unreachable(target, "no such host") from error
        if not found:
            raise _unreachable(target, "no such host")
        if not all(map(self._is_allowed, found)):
            raise _unreachable(target, "an address of it is not public")
        return found[:_MOST_ADDRESSES]

    async def _body(self, target: Target, answer: httpcore2.Response, hold: Callable[[int], None]) -> bytes:
        if answer.status != 200:
            raise _unreachable(target, f"status {answer.status}")
        encoding = _header(answer, b"content-encoding")
        if encoding and encoding.lower() != b"identity":
            raise _unreachable(target, "a compressed answer")
        announced = _header(answer, b"content-length") or b""
        most = self._bounds.most_bytes
        if announced.isdigit() and int(announced[:20]) > most:
            raise _too_large(most)
        body = bytearray()
        async for part in answer.aiter_stream():
            if len(body) + len(part) > most:
                raise _too_large(most)
            hold(len(part))
            body += part
        return bytes(body)


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were looked up and checked before, whatever the host's name is."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = list(addresses)
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - what it is all about
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that answers."""
        *others, last = self._addresses
        for address in others:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)


def _system_resolver(at_once: int) -> Resolve:
    # Threads that a dead name server holds are given up, and still count: there are never more of them.
    limiter = CapacityLimiter(at_once)

    async def resolve(host: str, port: int) -> list[str]:
        found = await to_thread.run_sync(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), abandon_on_cancel=True, limiter=limiter
        )
        return [str(each[4][0]) for each in found]

    return resolve


def _header(answer: httpcore2.Response, name: bytes) -> bytes | None:
    return next((value for each, value in answer.headers if each.lower() == name), None)


def _unreachable(target: Target, reason: str) -> UrlUnreachable:
    # The same words whatever happened: who asks must not learn what this machine can reach. No path, it may be signed.
    return UrlUnreachable("the URL gave no photo", f"{target.host}: {reason}")


def _too_large(most: int) -> TooManyBytes:
    return TooManyBytes(most)
