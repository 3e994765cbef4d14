"""The clients: `Client` answers, `AsyncClient` is awaited."""

import os
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx2

from arcid.attempts import Retries
from arcid.executors import Later, Now
from arcid.groups import Service
from arcid.version import __version__

KEY_VARIABLE = "ARCID_API_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"
_CONNECT_S = 5.0


class Client(Service[Now]):
    """A client of one service; threads may share it. Close it, or use it in a `with`.

    Args:
        base_url: Where the service is, with the path in front of its routes if a proxy adds one.
        api_key: The key; None takes that of the environment variable ARCID_API_KEY, an empty text none at all.
        timeout_s: Longest silence of the service while a request is sent and its answer comes; None for ever.
        retries: Most repetitions of a request, where it may be repeated; 0 switches them off.
        longest_wait_s: A `Retry-After` that is longer is not waited for: the error is raised.
        verify: Whether, or with what, the certificate of an https address is checked.
        trust_env: Take proxies and certificates from the usual environment variables.
        transport: In place of the network, in tests.
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
            base_url=base_url,
            headers=_headers(api_key),
            timeout=_timeout(timeout_s),
            verify=verify,
            trust_env=trust_env,
            transport=transport,
        )
        super().__init__(Now(http, Retries(retries, longest_wait_s)))

    def close(self) -> None:
        """Close all connections."""
        self.executor.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Service[Later]):
    """As `Client`, for asyncio: methods are awaited, lists and events iterated by `async for`."""

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
            base_url=base_url,
            headers=_headers(api_key),
            timeout=_timeout(timeout_s),
            verify=verify,
            trust_env=trust_env,
            transport=transport,
        )
        super().__init__(Later(http, Retries(retries, longest_wait_s)))

    async def close(self) -> None:
        """Close all connections."""
        await self.executor.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _headers(api_key: str | None) -> Mapping[str, str]:
    key = os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key
    headers = {"User-Agent": f"arcid-client/{__version__}"}
    return {**headers, "Authorization": f"Bearer {key}"} if key else headers


def _timeout(seconds: float | None) -> httpx2.Timeout:
    """Connections are made sooner, or not at all."""
    return httpx2.Timeout(seconds, connect=_CONNECT_S if seconds is None else min(_CONNECT_S, seconds))
