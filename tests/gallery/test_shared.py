"""One index shared by all replicas: updated in order, by any replica that finds it behind, also after a crash."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.database.engine import open_engine
from app.errors import IndexUnavailable
from app.gallery.store import identities as store_module
from app.gallery.store.shared_revisions import SharedIndexes
from app.types import Floats, Keys
from tests.gallery.index.oracle import OracleIndex
from tests.recognition.enrolling import D, enroll, found, units
from tests.recognition.galleries import compared, gallery_on, sharing


class EngineIndex(OracleIndex):
    """A stand-in for Milvus: detects two concurrent writers, and fails on request."""

    def __init__(self, dimension: int = D) -> None:
        super().__init__(dimension)
        self.failures: list[Exception] = []
        self.batches = 0
        self.seconds = 0.0
        self._feeding = threading.Lock()

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        assert self._feeding.acquire(blocking=False), "two feed at once"
        try:
            time.sleep(self.seconds)
            self.batches += 1
            if self.failures and self.batches > 1:
                raise self.failures.pop()
            super().add(keys, vectors, owners=owners)
        finally:
            self._feeding.release()

    def remove(self, keys: Keys) -> None:
        assert len(keys), "a call of the engine for nothing"
        super().remove(keys)


@pytest.fixture
def index():
    return EngineIndex()


@pytest.fixture
def new_replica(engine, index):
    def new():
        gallery = sharing(engine, index, model="net", dimension=D)
        gallery.ensure("people")
        gallery.open()
        return gallery

    return new


@pytest.fixture
def a(new_replica):
    return new_replica()


@pytest.fixture
def b(new_replica):
    return new_replica()


@pytest.fixture
def people(a):
    return a.require("people")


def shown(engine, people) -> int:
    return SharedIndexes(engine).revision(people, "oracle")


def test_a_write_is_found_at_once_everywhere(engine, a, b, people):
    vectors = units(4, seed=1)
    for number, vector in enumerate(vectors):
        writer, other = (a, b) if number % 2 else (b, a)
        enroll(writer, people, f"p{number}", vector[None])
        assert found(writer, people, vector) == found(other, people, vector) == f"p{number}"
        assert shown(engine, people) == number + 1
    b.remove_identity(people, "p0")
    assert found(a, people, vectors[0]) != "p0"
    assert compared(engine, a, "people").is_empty()
    assert [state.behind for state in a.states()] == [0]


def test_many_writers_feed_one_after_the_other(engine, a, b, people):
    vectors = units(40, seed=1)

    def write(number: int) -> None:
        gallery = (a, b)[number % 2]
        enroll(gallery, people, f"p{number}", vectors[number : number + 1])
        assert found(gallery, people, vectors[number]) == f"p{number}"
        if number % 4 == 0:
            gallery.remove_identity(people, f"p{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(40)))
    assert compared(engine, a, "people").is_empty()
    assert shown(engine, people) == a.require("people").revision == 50


@pytest.mark.parametrize("failure", [RuntimeError("killed"), IndexUnavailable("no answer")])
@pytest.mark.parametrize("earlier", [0, 1])  # writes: all is brought, or the tail of the log
def test_who_dies_half_way_leaves_the_revision_and_the_next_begins_there(
    engine, a, b, people, index, monkeypatch, failure, earlier
):
    monkeypatch.setattr(store_module, "_ASK_AT_ONCE", 2)
    monkeypatch.setattr(store_module, "_READ_AT_ONCE", 2)
    for number in range(earlier):
        enroll(a, people, f"p{number}", units(1, seed=9))
    index.batches, index.failures = 0, [failure]
    with pytest.raises(type(failure)):
        enroll(a, people, "ada", units(6, seed=1))
    assert (index.count(), shown(engine, people)) == (earlier + 2, earlier)
    assert a.require("people").faces == earlier + 6
    assert [state.behind for state in b.states()] == [1]
    b.follow()
    assert (index.count(), shown(engine, people)) == (earlier + 6, earlier + 1)
    assert compared(engine, a, "people").is_empty()


def test_a_removal_that_the_engine_did_not_hear_of_is_repeated(engine, a, b, people, index, monkeypatch):
    enroll(a, people, "ada", units(2, seed=1))
    enroll(a, people, "bob", units(1, seed=2))

    def away(_keys: Keys) -> None:
        raise IndexUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(index, "remove", away)
        with pytest.raises(IndexUnavailable):
            a.remove_identity(people, "ada")
    assert index.count() == 3
    b.follow()
    assert index.count() == 1
    assert compared(engine, b, "people").is_empty()


def test_an_engine_that_is_away_keeps_no_other_collection_from_following(engine, index):
    shared = sharing(engine, index, model="net", dimension=D)
    local = gallery_on(engine, model="net", dimension=D)
    for name in ("first", "second"):
        local.ensure(name)
    shared.open()
    shared._projections[shared.require("second").key] = local._projection(local.require("second"))
    writer = gallery_on(engine, model="net", dimension=D)
    vector = units(1, seed=1)
    for name in ("first", "second"):
        enroll(writer, writer.require(name), "ada", vector)
    index.batches, index.failures = 1, [IndexUnavailable("no answer")]
    with pytest.raises(IndexUnavailable):
        shared.follow()
    assert found(shared, shared.require("second"), vector[0]) == "ada"


def test_the_first_who_feeds_takes_out_what_is_not_enrolled(engine, a, people, index):
    vectors = units(3, seed=1)
    enroll(gallery_on(engine, model="net", dimension=D), people, "ada", vectors)
    index.add(np.array([777, 778]), units(2, seed=2))
    replica = sharing(engine, index, model="net", dimension=D)
    replica.open()
    assert index.count() == 3
    assert compared(engine, replica, "people").is_empty()


def test_rebuilding_brings_everything_again(engine, a, people, index):
    enroll(a, people, "ada", units(3, seed=1))
    OracleIndex.remove(index, np.array([1]))
    index.add(np.array([2, 777]), units(2, seed=2))
    assert not compared(engine, a, "people").is_empty()
    a._projection(people).rebuild()
    assert compared(engine, a, "people").is_empty()
    assert shown(engine, people) == 1


def test_an_index_that_is_ahead_of_the_database_is_fed_anew(engine, a, people, index):
    """The database was restored from a backup."""
    enroll(a, people, "ada", units(2, seed=1))
    with SharedIndexes(engine).feeding(people, "oracle") as progress:
        progress.revision = 99
    index.add(np.array([777]), units(1, seed=2))
    replica = sharing(engine, index, model="net", dimension=D)
    replica.open()
    assert shown(engine, people) == 1
    assert compared(engine, replica, "people").is_empty()


def test_feeding_may_take_longer_than_a_transaction_may_be_silent(databases, index, monkeypatch):
    """PostgreSQL ends transactions that are silent for 30 s, here for 0.3 s."""
    monkeypatch.setattr(store_module, "_READ_AT_ONCE", 1)
    monkeypatch.setattr(store_module, "_ASK_AT_ONCE", 1)
    with databases.url() as url:
        joint = "&" if "?" in url else "?"
        impatient = f"{joint}options=-c%20idle_in_transaction_session_timeout=300"
        engine = open_engine(url + impatient if databases.kind == "postgresql" else url)
        try:
            local = gallery_on(engine, model="net", dimension=D)
            replica = sharing(engine, index, model="net", dimension=D)
            local.ensure("people")
            enroll(local, local.require("people"), "ada", units(4, seed=1))
            index.seconds = 0.15
            replica.open()
            enroll(local, local.require("people"), "bob", units(4, seed=2))
            replica.follow()
            assert compared(engine, replica, "people").is_empty()
            assert shown(engine, replica.require("people")) == 2
        finally:
            engine.dispose()
