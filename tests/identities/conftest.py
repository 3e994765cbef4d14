from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.identities.store import IdentityStore
from app.identities.values import Collection
from tests.identities.enrolling import D


@pytest.fixture
def engine(databases) -> Iterator[Engine]:
    with databases.engine() as engine:
        yield engine


@pytest.fixture
def store(engine) -> IdentityStore:
    return IdentityStore(engine)


@pytest.fixture
def people(store) -> Collection:
    created: Collection = store.create_collection("people", model="net", dimension=D)
    return created
