"""A server that is stopped, hangs or is busy: domain errors, which end with the cause."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from app.database import engine as engine_module
from app.database.engine import open_engine
from app.database.schema import Schema
from app.database.table_types import Base
from app.errors import DatabaseUnavailable, SettingsInvalid
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from tests.cluster import Cluster, running
from tests.database.enrolling import enroll
from tests.databases import MIGRATIONS


def seconds(work) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


# A server


@pytest.fixture(scope="module")
def cluster():
    with running() as cluster:
        yield cluster


@pytest.fixture
def server(cluster):
    """An engine on a separate server, with the tables and a pool of one connection."""
    engine = open_engine(f"{cluster.url}&connect_timeout=2")  # to hang for no longer than it must
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(server):
    return IdentityStore(server)


@pytest.fixture
def people(store):
    return store.create_collection("people", model="net", dimension=512)


def every_use(store: IdentityStore, people: Collection, engine: Engine):
    yield lambda: store.collection("people")
    yield lambda: store.create_collection("other", model="net", dimension=4)
    yield lambda: enroll(store, people, 1)
    yield lambda: list(store.templates(people))
    yield Schema(engine, MIGRATIONS).current
    yield Schema(engine, MIGRATIONS).upgrade


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_stops_and_comes_back(cluster: Cluster, server, store, people, mode):
    cluster.stop(mode)
    for use in every_use(store, people, server):
        with pytest.raises(DatabaseUnavailable, match="does not answer") as caught:
            use()
        assert caught.value.reason
        assert "\n" not in caught.value.reason
    cluster.start()
    enroll(store, people, 1)
    assert store.collection("people").faces == 1


def test_a_restart_that_nobody_saw(cluster: Cluster, server, store, people):
    """Every connection of the pool is dead, and no request notices."""
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda number: enroll(store, people, number), range(20)))
        cluster.stop("immediate")
        cluster.start()
        list(pool.map(lambda number: enroll(store, people, number), range(20, 40)))
    assert store.collection("people").faces == 40


def test_a_connection_lost_in_a_transaction_writes_nothing(cluster: Cluster, server, store, people):
    def change() -> None:
        with server.begin() as connection:
            connection.execute(text("UPDATE collections SET name = 'changed'"))
            cluster.stop("immediate")
            cluster.start()
            connection.execute(text("UPDATE collections SET model = 'changed'"))

    with pytest.raises(DatabaseUnavailable):
        change()
    assert store.collection("people") == people


def test_a_server_that_hangs(cluster: Cluster, server, store, people):
    cluster.pause()
    try:
        for use in every_use(store, people, server):
            with pytest.raises(DatabaseUnavailable):
                assert seconds(use) < 10
    finally:
        cluster.resume()
    enroll(store, people, 1)
    assert store.collection("people").faces == 1


def test_a_server_that_hangs_in_a_statement(cluster: Cluster, server, store, people, monkeypatch):
    monkeypatch.setattr("app.database.postgresql.ANSWER_TIMEOUT_S", 1)
    with server.connect() as connection:
        connection.execute(text("SELECT 1"))
        cluster.pause()
        try:
            with pytest.raises(DatabaseUnavailable, match="does not answer"):
                connection.execute(text("SELECT 2"))
        finally:
            cluster.resume()
    assert store.collection("people") == people


def test_a_statement_that_takes_too_long(server):
    with server.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 50"))
        with pytest.raises(DatabaseUnavailable, match="try again"):
            connection.execute(text("SELECT pg_sleep(10)"))


def test_what_has_time_has_it(server, monkeypatch):
    monkeypatch.setattr("app.database.postgresql.ANSWER_TIMEOUT_S", 0.2)
    with server.execution_options(has_time=True).begin() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"
        connection.execute(text("SELECT pg_sleep(0.5)"))
    with server.begin() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "30s"
        assert connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "30s"


def test_a_lock_that_is_held_too_long(server, store, people):
    with server.begin() as holder, server.begin() as waiter:
        holder.execute(text("UPDATE collections SET revision = 7"))
        waiter.execute(text("SET LOCAL lock_timeout = 50"))
        with pytest.raises(DatabaseUnavailable, match="locked"):
            waiter.execute(text("UPDATE collections SET revision = 8"))


def test_of_two_in_a_deadlock_one_is_told_to_try_again(server, store, people):
    store.create_collection("other", model="net", dimension=4)
    with server.begin() as one, server.begin() as two, ThreadPoolExecutor(1) as pool:
        update = "UPDATE collections SET revision = 7 WHERE name = '{}'"
        one.execute(text(update.format("people")))
        two.execute(text(update.format("other")))
        waiting = pool.submit(one.execute, text(update.format("other")))
        try:
            two.execute(text(update.format("people")))
        except DatabaseUnavailable:
            two.rollback()
            assert waiting.exception(10) is None
        else:
            assert isinstance(waiting.exception(10), DatabaseUnavailable)


def test_a_server_that_became_a_standby(server, store, people):
    """Writing fails with 503, and the pool connects again, perhaps to a new primary server."""
    with server.begin() as connection:
        connection.execute(text("ALTER DATABASE postgres SET default_transaction_read_only = on"))
    try:
        server.dispose()
        with server.connect() as connection:
            before = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with pytest.raises(DatabaseUnavailable, match="does not answer"):
            enroll(store, people, 1)
        assert store.collection("people") == people
        with server.connect() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != before
    finally:
        with server.connect() as connection:
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.execute(text("ALTER DATABASE postgres RESET default_transaction_read_only"))
            connection.commit()
        server.dispose()
    enroll(store, people, 1)


def test_a_reader_cannot_write(server, people):
    reader = server.execution_options(is_reader=True)
    # A mistake of ours, no state of the server.
    with pytest.raises(InternalError, match="read-only transaction"), reader.connect() as connection:
        connection.execute(text("UPDATE collections SET revision = 7"))


def test_a_reader_sees_one_moment(server, store, people):
    with server.execution_options(is_reader=True).connect() as reader:
        before = reader.execute(text("SELECT revision FROM collections")).scalar_one()
        enroll(store, people, 1)
        assert reader.execute(text("SELECT revision FROM collections")).scalar_one() == before
    assert store.collection("people").revision == before + 1


def test_a_pool_without_a_free_connection(cluster: Cluster, monkeypatch):
    for name, value in (("POOL_SIZE", 1), ("POOL_OVERFLOW", 0), ("POOL_TIMEOUT_S", 0.1)):
        monkeypatch.setattr(engine_module, name, value)
    engine = open_engine(cluster.url)
    with engine.connect() as connection:
        with pytest.raises(DatabaseUnavailable, match="busy"):
            engine.connect()
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    with engine.connect():
        pass
    engine.dispose()


def test_mistakes_are_no_outage(server):
    with pytest.raises(ProgrammingError), server.begin() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))
    with pytest.raises(IntegrityError), server.begin() as connection:
        connection.execute(text("INSERT INTO collections (id) VALUES (1)"))


def test_upgrades_at_once_are_one(cluster: Cluster, server):
    Base.metadata.drop_all(server)
    schemas = [Schema(server, MIGRATIONS) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Schema.upgrade, schemas))
    schemas[0].require_current()
    with server.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@127.0.0.1:1/db", "postgresql+psycopg://u:secret@127.0.0.1:1/db"]
)
def test_a_server_that_is_not_there(url):
    engine = open_engine(url)
    with pytest.raises(DatabaseUnavailable) as caught:
        engine.connect()
    assert "secret" not in f"{caught.value} {caught.value.reason}"
    assert "refused" in caught.value.reason
    engine.dispose()


def test_what_the_url_says_wins(cluster: Cluster):
    engine = open_engine(f"{cluster.url}&application_name=mine&options=-c%20statement_timeout=7s")
    with engine.connect() as connection:
        assert connection.execute(text("SHOW application_name")).scalar_one() == "mine"
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "7s"
    engine.dispose()


def test_only_one_driver_is_supported():
    with pytest.raises(SettingsInvalid, match="psycopg2 is not supported"):
        open_engine("postgresql+psycopg2://localhost/db")
