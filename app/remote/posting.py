"""Posting to URLs that callers have registered, protected against server-side request forgery."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpcore2

from app.errors import UrlNotAllowed, UrlUnreachable
from app.remote.addresses import is_public
from app.remote.pinning import (
    CONNECT_S,
    FAILURES,
    HostRefused,
    PinnedBackend,
    Resolve,
    checked_addresses,
    system_resolver,
)
from app.remote.urls import UrlRules, UrlTarget, matches

_MOST_READ = 65_536  # bytes of an answer's body
_DRAIN_S = 1.0
_TLS_PORT, _FIRST_UNPRIVILEGED = 443, 1024
_ANY = UrlRules(("*",), frozenset({"http", "https"}), range(1, 65_536))


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """The answer to a post: its status, and its `Retry-After` as sent."""

    status: int
    retry_after: str | None


class Poster:
    """Posts bodies to URLs. Threads may share it.

    A host is resolved once for each post. All its addresses must be public, and only these are connected to, over TLS.
    The operator may name hosts (`private_hosts`) that may have any address and may lack TLS. Redirects are not
    followed; connections, cookies and answers are not kept, and no proxy is used.
    """

    def __init__(
        self,
        private_hosts: Collection[str],
        *,
        seconds: float,
        resolve: Resolve | None = None,
        is_allowed: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`private_hosts` are names, addresses and `*.name`; `seconds` is the time limit of a post."""
        self._private_hosts = tuple(each.lower() for each in private_hosts)
        self._seconds = seconds
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._tls = tls or httpcore2.default_ssl_context()

    def target(self, url: str) -> UrlTarget:
        """Return the target of a URL; raises UrlNotAllowed."""
        target = _ANY.target(url)
        if self.is_private(target.host):
            return target
        if target.scheme != "https":
            raise UrlNotAllowed("the URL must start with https://, unless ARCID_DELIVERY__HOSTS names its host")
        if target.port != _TLS_PORT and target.port < _FIRST_UNPRIVILEGED:
            raise UrlNotAllowed("the URL's port must be 443 or above 1023, unless ARCID_DELIVERY__HOSTS names its host")
        return target

    def is_private(self, host: str) -> bool:
        """Return whether the operator has named a host, which may then have any address."""
        return any(matches(host, pattern) for pattern in self._private_hosts)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        """Post a body and return the answer, whatever its status. Call it in a thread without an event loop.

        Raises UrlNotAllowed, and UrlUnreachable if no answer came in time; its reason has no URL.
        """
        return asyncio.run(self._post(self.target(url), headers, body))

    async def _post(self, target: UrlTarget, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(target, headers, body)
        except TimeoutError:
            raise _unreachable("it took too long") from None
        except HostRefused as error:
            raise _unreachable(str(error)) from error
        except FAILURES as error:
            raise _unreachable(type(error).__name__) from error

    async def _exchange(self, target: UrlTarget, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        is_allowed = (lambda _: True) if self.is_private(target.host) else self._is_allowed
        resolve = self._resolve or system_resolver(1)
        addresses = await checked_addresses(target.host, target.port, resolve=resolve, is_allowed=is_allowed)
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.url.raw_path or b"/"
        )
        sent = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        sent = [
            (b"Host", target.url.netloc),
            *sent,
            (b"Content-Length", str(len(body)).encode()),
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", b"arcid"),
            (b"Connection", b"close"),
        ]
        async with (
            httpcore2.AsyncConnectionPool(
                self._tls, max_connections=1, network_backend=PinnedBackend(addresses)
            ) as pool,
            pool.stream(
                "POST", url, headers=sent, content=body, extensions={"timeout": {"connect": CONNECT_S}}
            ) as response,
        ):
            with suppress(TimeoutError, *FAILURES):  # the status has arrived and counts
                async with asyncio.timeout(_DRAIN_S):
                    await _drain(response)
            return PostAnswer(response.status, _retry_after(response))


async def _drain(response: httpcore2.Response) -> None:
    """Read the start of a body and forget it: a receiver that is still writing would log an error."""
    read = 0
    async for part in response.aiter_stream():
        read += len(part)
        if read > _MOST_READ:
            return


def _retry_after(response: httpcore2.Response) -> str | None:
    values = (value for name, value in response.headers if name.lower() == b"retry-after")
    return next((value.decode("latin-1") for value in values), None)


def _unreachable(reason: str) -> UrlUnreachable:
    return UrlUnreachable("the URL did not answer", reason)
