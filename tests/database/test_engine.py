import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from app.database import engine as engine_module
from app.database.engine import open_engine, sqlite_url


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "new" / "folder" / "arcid.db"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY, hits INTEGER NOT NULL)"))
        connection.execute(text("CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents)"))
        connection.execute(text("INSERT INTO parents VALUES (1, 0)"))
    yield engine
    engine.dispose()


def hits(engine: Engine) -> int:
    with engine.execution_options(is_reader=True).connect() as connection:
        return int(connection.execute(text("SELECT hits FROM parents")).scalar_one())


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 2), ("busy_timeout", 5000)]
)
def test_every_connection_is_prepared(engine, pragma, value):
    with engine.connect() as one, engine.connect().execution_options(is_reader=True) as other:
        assert one.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value
        assert other.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_nothing_is_connected_before_it_is_needed(tmp_path):
    path = tmp_path / "arcid.db"
    open_engine(sqlite_url(path)).dispose()
    assert not path.exists()


def test_foreign_keys_are_enforced(engine):
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), engine.begin() as connection:
        connection.execute(text("INSERT INTO children VALUES (1, 999)"))


def test_writers_wait_for_each_other(engine):
    """Each transaction reads before it writes: with a deferred BEGIN, most of them would fail."""

    def write(_: int) -> None:
        for _ in range(10):
            with engine.begin() as connection:
                seen = connection.execute(text("SELECT hits FROM parents")).scalar_one()
                connection.execute(text("UPDATE parents SET hits = :hits"), {"hits": seen + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert hits(engine) == 80


def test_readers_do_not_wait_for_a_writer(engine):
    with engine.begin() as writer:
        writer.execute(text("UPDATE parents SET hits = 7"))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(hits, engine).result(timeout=2) == 0
    assert hits(engine) == 7


def test_a_reader_sees_one_moment(engine):
    with engine.execution_options(is_reader=True).connect() as reader:
        before = reader.execute(text("SELECT hits FROM parents")).scalar_one()
        with engine.begin() as writer:
            writer.execute(text("UPDATE parents SET hits = 7"))
        assert reader.execute(text("SELECT hits FROM parents")).scalar_one() == before == 0


def test_what_fails_is_undone(engine):
    def fail() -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE parents SET hits = 7"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert hits(engine) == 0


def test_a_writer_waits_no_longer_than_the_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_MS", 20)
    engine = open_engine(sqlite_url(tmp_path / "arcid.db"))
    started, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with engine.begin():
            started.set()
            may_end.wait(10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        started.wait(10)
        with pytest.raises(Exception, match="database is locked"), engine.begin():
            pass
        may_end.set()
    engine.dispose()


def test_a_database_in_memory_needs_no_folder():
    engine = open_engine("sqlite://")
    with engine.begin() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()
