from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, text

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


@pytest.fixture
def tamper(engine: Engine) -> Callable[..., None]:
    """Change the trail as somebody could who is the database's owner: past the triggers."""

    def tamper(*statements: str) -> None:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                for name in ("audit_no_update", "audit_no_delete", "audit_no_replace", "audit_no_replaced_id"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
                for name in ("audit_head_one", "audit_head_no_delete"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
            else:
                connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
                connection.execute(text("ALTER TABLE audit_head DISABLE TRIGGER USER"))
            for each in statements:
                connection.execute(text(each))

    return tamper
