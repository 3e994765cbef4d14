import pytest
from sqlalchemy import create_engine, text

from app.config import PROJECT
from app.errors import DatabaseUnavailable, SchemaOutdated

HEAD = max(path.name[:4] for path in (PROJECT / "migrations" / "versions").glob("*.py"))


def test_upgrade_makes_the_database_and_says_so(arcid, home):
    result = arcid("db", "upgrade")
    assert (result.exit_code, result.output) == (0, f"empty -> {HEAD}\n")
    assert (home / "arcid.db").is_file()


def test_upgrade_makes_the_master_key_of_a_new_database(arcid, home, monkeypatch):
    monkeypatch.delenv("ARCID_ENCRYPTION__OWN_KEY")
    assert arcid("db", "upgrade").exit_code == 0
    assert (home / "master.key").is_file()
    assert arcid("keys", "rotate-data").exit_code == 0


def test_upgrading_again_changes_nothing(arcid):
    arcid("db", "upgrade")
    result = arcid("db", "upgrade")
    assert (result.exit_code, result.output) == (0, f"{HEAD} -> {HEAD}\n")


def test_status_is_wrong_before_and_right_after(arcid):
    before = arcid("db", "status")
    assert (before.exit_code, before.output) == (1, f"database: empty, needed: {HEAD}\n")
    arcid("db", "upgrade")
    after = arcid("db", "status")
    assert (after.exit_code, after.output) == (0, f"database: {HEAD}, needed: {HEAD}\n")


def test_another_database_may_be_named(arcid, tmp_path, home, monkeypatch):
    monkeypatch.setenv("ARCID_DATABASE_URL", f"sqlite:///{tmp_path / 'elsewhere' / 'other.db'}")
    assert arcid("db", "upgrade").exit_code == 0
    assert (tmp_path / "elsewhere" / "other.db").is_file()
    assert not home.exists()


@pytest.fixture
def newer(arcid, home):
    """A database of a version of the code that is yet to come."""
    arcid("db", "upgrade")
    engine = create_engine(f"sqlite:///{home / 'arcid.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()


def test_a_newer_database_is_not_touched(arcid, newer):
    assert arcid("db", "status").output == f"database: 9999, needed: {HEAD}\n"
    assert isinstance(arcid("db", "upgrade").exception, SchemaOutdated)
    assert arcid("db", "status").output == f"database: 9999, needed: {HEAD}\n"


def test_a_file_that_is_no_database(arcid, home):
    home.mkdir()
    (home / "arcid.db").write_text("This is no database." * 100)
    assert isinstance(arcid("db", "status").exception, DatabaseUnavailable)
