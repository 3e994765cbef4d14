from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine

from app.access.key_store import KeyStore
from app.access.trail import Trail


@pytest.fixture
def engine(databases) -> Iterator[Engine]:
    with databases.engine() as engine:
        yield engine


@pytest.fixture
def keys(engine) -> KeyStore:
    return KeyStore(engine)


@pytest.fixture
def trail(engine) -> Trail:
    return Trail(engine)


@pytest.fixture
def at_once() -> Callable[..., list[Any]]:
    """Call functions in threads that start together, and return their results in order."""

    def run(*functions: Callable[[], Any]) -> list[Any]:
        start = Barrier(len(functions))

        def call(function: Callable[[], Any]) -> Any:
            start.wait()
            return function()

        with ThreadPoolExecutor(len(functions)) as pool:
            return list(pool.map(call, functions))

    return run
