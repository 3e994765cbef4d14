from sqlalchemy import text

from app.database.data_version import DataVersion
from app.database.engine import open_engine, sqlite_url
from app.observability.stages import recording


def test_every_commit_of_any_connection_changes_the_version(tmp_path):
    own, other = (open_engine(sqlite_url(tmp_path / "a.db")) for _ in range(2))
    version = DataVersion(own)
    with own.begin() as connection:
        connection.execute(text("create table t (a int)"))
    seen = [version.read(), version.read()]
    for engine in (own, other):
        with engine.begin() as connection:
            connection.execute(text("insert into t values (1)"))
        seen.append(version.read())
    assert seen[0] is not None
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    own.dispose()
    other.dispose()


def test_a_rollback_and_a_read_do_not_change_the_version(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "a.db"))
    version = DataVersion(engine)
    with engine.begin() as connection:
        connection.execute(text("create table t (a int)"))
    before = version.read()
    with engine.connect() as connection:
        connection.execute(text("insert into t values (1)"))
        connection.rollback()
        connection.execute(text("select * from t")).all()
    assert version.read() == before
    engine.dispose()


def test_the_look_does_not_block_a_checkpoint(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "a.db"))
    version = DataVersion(engine)
    with engine.begin() as connection:
        connection.execute(text("create table t (a int)"))
    version.read()
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        (is_busy, *_) = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not is_busy
    engine.dispose()


def test_the_look_is_timed_as_a_statement(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "a.db"))
    with recording() as stages:
        DataVersion(engine).read()
    assert list(stages) == ["database"]
    engine.dispose()


def test_memory_and_a_missing_folder_have_no_version(tmp_path):
    assert DataVersion(open_engine("sqlite:///:memory:")).read() is None
    (tmp_path / "folder").mkdir()
    version = DataVersion(open_engine(sqlite_url(tmp_path / "folder" / "a.db")))
    (tmp_path / "folder").rmdir()
    assert version.read() is None


def test_a_new_connection_never_repeats_a_value(tmp_path):
    """SQLite counts for each connection: after a lost one, the count could be that of another state."""
    engine = open_engine(sqlite_url(tmp_path / "a.db"))
    version = DataVersion(engine)
    with engine.begin() as connection:
        connection.execute(text("create table t (a int)"))
    seen = set()
    for _ in range(3):
        seen.add(version.read())
        engine.dispose()
        with engine.begin() as connection:
            connection.execute(text("insert into t values (1)"))
    assert None not in seen
    assert len(seen) == 3
    engine.dispose()
