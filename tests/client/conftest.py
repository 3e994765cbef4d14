"""Fixtures: a real service on a port, and clients with a fake network."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.cli.demo import serving
from arcid import AsyncClient, Client


@pytest.fixture(scope="module")
def address(settings):
    """Return the address of the real service."""
    with serving(settings, port=0) as address:
        yield address


@pytest.fixture
def service(address):
    """Return a client of the real service."""
    with Client(address) as client:
        yield client


class Answers:
    """A fake network: it records requests and returns or raises the given answers; the last one is repeated."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


def client_of(answers: Answers, **options) -> Client:
    return Client(transport=httpx2.MockTransport(answers), **options)


def async_client_of(answers: Answers, **options) -> AsyncClient:
    return AsyncClient(transport=httpx2.MockTransport(answers), **options)


def json_answer(status: int, headers: dict[str, str] | None = None, /, **members) -> httpx2.Response:
    """Return an HTTP answer with a JSON object."""
    return httpx2.Response(status, headers=headers, content=json.dumps(members).encode())


def methods_of(client: Client | AsyncClient) -> dict[str, Callable[..., Any]]:
    """Return the methods of a client by name; methods of a group have its name as a prefix."""
    groups = {"": client} | {f"{name}.": group for name, group in vars(client).items() if name != "transport"}
    return {
        f"{prefix}{name}": getattr(group, name)
        for prefix, group in groups.items()
        for name in dir(type(group))
        if not name.startswith("_") and name != "close"
    }
