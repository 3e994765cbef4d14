from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from app.config import PROJECT
from app.database.engine import open_engine, sqlite_url
from app.database.schema import Schema
from app.database.tables import Base
from app.errors import DatabaseUnavailable, SchemaOutdated

MIGRATIONS = PROJECT / "migrations"
TABLES = {"alembic_version", "collections", "enrolments", "faces", "identities"}


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "arcid.db"))
    yield engine
    engine.dispose()


@pytest.fixture
def schema(engine):
    return Schema(engine, MIGRATIONS)


def migrated(engine, target: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, target)


def test_an_upgraded_database_has_exactly_the_tables_of_the_code(engine, schema):
    schema.upgrade()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    assert set(inspect(engine).get_table_names()) - {"sqlite_sequence"} == TABLES


def test_an_upgraded_database_never_uses_a_key_again(engine, schema):
    schema.upgrade()
    with engine.connect() as connection:
        for table in sorted(TABLES - {"alembic_version"}):
            statement = connection.execute(
                text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table}
            ).scalar_one()
            assert "AUTOINCREMENT" in statement


def test_an_empty_database_is_not_current(schema):
    assert schema.current() == "empty"
    with pytest.raises(SchemaOutdated, match=r"revision empty.*needs \w+; run: arcid db upgrade"):
        schema.require_current()


def test_upgrade_brings_the_database_to_the_head(schema):
    schema.upgrade()
    assert schema.current() == schema.head() != "empty"
    schema.require_current()


def test_upgrading_twice_keeps_what_is_stored(engine, schema):
    schema.upgrade()
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO collections VALUES (1, 'a', 'm', 4, 0, '2026-01-01 00:00:00')"))
    schema.upgrade()
    schema.require_current()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM collections")).scalars().all() == ["a"]


def test_a_newer_database_is_not_current(engine, schema):
    schema.upgrade()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match="revision 9999"):
        schema.require_current()


def test_a_newer_database_is_left_alone(engine, schema):
    schema.upgrade()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match="9999"):
        schema.upgrade()
    assert schema.current() == "9999"


def test_a_database_that_does_not_answer(tmp_path):
    (tmp_path / "arcid.db").write_text("This is no database." * 100)
    engine = open_engine(sqlite_url(tmp_path / "arcid.db"))
    schema = Schema(engine, MIGRATIONS)
    for use in (schema.current, schema.require_current, schema.upgrade):
        with pytest.raises(DatabaseUnavailable, match="ARCID_DATABASE_URL"):
            use()
    engine.dispose()


def test_downgrade_leads_back_to_nothing(engine, schema):
    schema.upgrade()
    migrated(engine, "base")
    assert schema.current() == "empty"
    assert set(inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    schema.upgrade()
    schema.require_current()


def test_asking_does_not_wait_for_a_writer(engine, schema):
    schema.upgrade()
    with engine.begin() as writer, ThreadPoolExecutor(1) as pool:
        writer.execute(text("DELETE FROM collections"))
        pool.submit(schema.require_current).result(timeout=3)


def test_a_folder_with_a_percent_sign_is_no_trouble(engine, tmp_path):
    folder = tmp_path / "100% migrations"
    folder.symlink_to(MIGRATIONS)
    schema = Schema(engine, folder)
    schema.upgrade()
    schema.require_current()
