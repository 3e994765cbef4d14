from collections.abc import Iterator

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
