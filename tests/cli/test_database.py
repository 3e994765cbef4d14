import pytest
from sqlalchemy import create_engine, text

from app.config import PROJECT
from app.errors import CalibrationTooSmall, CollectionUnknown, DatabaseUnavailable, SchemaOutdated

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


EXPORTED, LINES = "{folder}/faces.zip", "{folder}/faces.ndjson"
ABOUT_DEFAULT = [
    ("export", "default", EXPORTED),
    ("import-embeddings", LINES, "--model", "tiny-net"),
    ("index", "verify", "default"),
    ("index", "rebuild", "default"),
    ("gallery", "check", "--collection", "default"),
    ("jobs", "list", "--collection", "default"),
    ("collections", "set", "default", "--threshold", "0.5"),
    ("reembed", "status", "default"),
    ("reembed", "discard", "default"),
]


@pytest.mark.parametrize("command", ABOUT_DEFAULT, ids=" ".join)
def test_no_command_needs_a_service_that_made_the_default_collection(arcid, tiny, tmp_path, command):
    (tmp_path / "faces.ndjson").write_text('{"identity_id": "ada", "embedding": [1, 2, 3]}\n')
    arcid("db", "upgrade")
    result = arcid(*(part.format(folder=tmp_path) for part in command))
    assert (result.exit_code, result.exception) == (0, None), result.output


def test_a_measurement_of_the_default_collection_says_that_it_is_empty(arcid, tiny):
    arcid("db", "upgrade")
    assert isinstance(arcid("calibrate", "--collection", "default").exception, CalibrationTooSmall)


def test_a_collection_of_another_name_is_not_made_by_naming_it(arcid, tiny, tmp_path):
    arcid("db", "upgrade")
    assert isinstance(arcid("export", "staff", str(tmp_path / "faces.zip")).exception, CollectionUnknown)
