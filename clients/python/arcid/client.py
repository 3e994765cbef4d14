"""The two clients: `Client` is synchronous, `AsyncClient` is for asyncio."""

import os
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx2

from arcid.groups import Service
from arcid.retries import RetryPolicy
from arcid.transports import AsyncTransport, SyncTransport
from arcid.version import __version__

KEY_VARIABLE = "ARCID_API_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"
VERSION = "/v1"
_CONNECT_S = 5.0


class Client(Service[SyncTransport]):
    """Synchronous client of one service; threads may share it. Close it, or use it in a `with` statement.

    Args:
        base_url: Address of the service, with the path prefix if a proxy adds one, with or without /v1;
            `localhost:8000` is http.
        api_key: API key. None reads the environment variable ARCID_API_KEY; an empty string sends no key.
        timeout_s: Maximum time without data while a request is sent or its answer is received; None means no limit.
        retries: Maximum number of retries of a retryable request; 0 disables them.
        longest_wait_s: Longest `Retry-After` to wait for; after a longer one, the error is raised.
        verify: Whether to check the certificate of an https address, or the SSL context to use.
        trust_env: Read proxies and certificates from the usual environment variables.
        transport: Replacement for the network, for tests.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float | None = 60,
        retries: int = 2,
        longest_wait_s: float = 30,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        http = httpx2.Client(
            base_url=_address(base_url),
            headers=_headers(api_key),
            timeout=_timeout(timeout_s),
            verify=verify,
            trust_env=trust_env,
            transport=transport,
        )
        super().__init__(SyncTransport(http, RetryPolicy(retries, longest_wait_s)))

    def close(self) -> None:
        """Close all connections."""
        self.transport.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Service[AsyncTransport]):
    """Asynchronous client with the arguments of `Client`. Await methods; use `async for` with lists and events."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float | None = 60,
        retries: int = 2,
        longest_wait_s: float = 30,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        http = httpx2.AsyncClient(
            base_url=_address(base_url),
            headers=_headers(api_key),
            timeout=_timeout(timeout_s),
            verify=verify,
            trust_env=trust_env,
            transport=transport,
        )
        super().__init__(AsyncTransport(http, RetryPolicy(retries, longest_wait_s)))

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _address(base_url: str) -> str:
    """Return the address of the API: with the scheme, and with the stable prefix of all paths."""
    address = (base_url if "://" in base_url else f"http://{base_url}").rstrip("/")
    return address if address.endswith(VERSION) else f"{address}{VERSION}"


def _headers(api_key: str | None) -> Mapping[str, str]:
    key = os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key
    headers = {"User-Agent": f"arcid-client/{__version__}"}
    return {**headers, "Authorization": f"Bearer {key}"} if key else headers


def _timeout(seconds: float | None) -> httpx2.Timeout:
    """Return the timeout; connecting must not take longer than _CONNECT_S."""
    return httpx2.Timeout(seconds, connect=_CONNECT_S if seconds is None else min(_CONNECT_S, seconds))
