from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from app.statistics.counts import HOUR_S, Recorder
from app.statistics.store import StatisticsStore

NOON = 496_812  # the hour of 2026-09-04T12:00Z since 1970


class Clock:
    hour = float(NOON)

    def __call__(self) -> float:
        return self.hour * HOUR_S


@pytest.fixture
def engine(databases) -> Iterator[Engine]:
    with databases.engine() as engine:
        yield engine


@pytest.fixture
def store(engine) -> StatisticsStore:
    return StatisticsStore(engine)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(clock) -> Recorder:
    return Recorder(clock)


@pytest.fixture
def new_collection(engine) -> Callable[[str], Collection]:
    """Create a collection."""
    return lambda name: IdentityStore(engine).create_collection(name, model="m", dimension=4)
