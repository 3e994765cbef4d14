"""Connections only to checked addresses: a name is resolved once, and all its addresses are checked first.

Later answers of a name server (DNS rebinding) have no effect.
"""

import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore2
from anyio import CapacityLimiter, to_thread

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port -> addresses; raises OSError."""

CONNECT_S = 3.0  # per address, before trying the next one
FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
    OSError,
)
"""Errors of a connection."""

_MAX_ADDRESSES = 4


class HostRefused(Exception):
    """The host has no address, or one that is not allowed; the message gives the reason."""


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Network backend that connects to previously checked addresses and ignores the host name."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = list(addresses)
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - ignored on purpose
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that responds."""
        *others, last = self._addresses
        for address in others:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)


async def checked_addresses(host: str, port: int, *, resolve: Resolve, is_allowed: Callable[[str], bool]) -> list[str]:
    """Return the addresses of a host; raises HostRefused if it has none, or if one of them is not allowed."""
    try:
        addresses = list(dict.fromkeys(await resolve(host, port)))
    except (OSError, UnicodeError) as error:
        raise HostRefused("no such host") from error
    if not addresses:
        raise HostRefused("no such host")
    if not all(map(is_allowed, addresses)):
        raise HostRefused("an address of it is not public")
    return addresses[:_MAX_ADDRESSES]


def system_resolver(at_once: int) -> Resolve:
    """Return a resolver that asks the system, up to `at_once` names at the same time; use it in one event loop."""
    # Threads blocked by a dead name server are abandoned but still count towards the limit.
    limiter = CapacityLimiter(at_once)

    async def resolve(host: str, port: int) -> list[str]:
        results = await to_thread.run_sync(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), abandon_on_cancel=True, limiter=limiter
        )
        return [str(address[0]) for *_, address in results]

    return resolve
