"""Code of the version before a migration must be able to use the schema after it: replicas are upgraded in turn."""

from itertools import pairwise

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from app.config import PROJECT
from app.database.engine import open_engine, sqlite_url


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(PROJECT / "migrations"))
    made.set_main_option("path_separator", "os")
    return made


def revisions() -> list[str]:
    return [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]


Columns = dict[str, tuple[str, bool, bool]]


def schema_of(connection: Connection) -> dict[str, Columns]:
    """Return type, nullability and presence of a default of each column, by table."""
    found = inspect(connection)
    return {
        table: {
            each["name"]: (str(each["type"]), bool(each["nullable"]), each["default"] is not None)
            for each in found.get_columns(table)
        }
        for table in found.get_table_names()
    }


def breaking(before: dict[str, Columns], after: dict[str, Columns]) -> set[str]:
    """Return the changes that code of the schema before does not survive."""
    found = {f"{table} is missing" for table in before.keys() - after.keys()}
    for table in before.keys() & after.keys():
        old, new = before[table], after[table]
        found |= {f"{table}: {name} is missing" for name in old.keys() - new.keys()}
        for name in old.keys() & new.keys():
            (old_type, was_nullable, _), (new_type, is_nullable, has_default) = old[name], new[name]
            if old_type != new_type:
                found.add(f"{table}: {name} is {new_type}, and was {old_type}")
            if was_nullable and not is_nullable and not has_default:
                found.add(f"{table}: {name} must have a value")
        for name in new.keys() - old.keys():
            if not new[name][1] and not new[name][2]:
                found.add(f"{table}: {name} must have a value")
    return found


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    """The schema at each revision."""
    engine, found, made = open_engine(sqlite_url(tmp_path_factory.mktemp("schemas") / "arcid.db")), {}, config()
    for each in revisions():
        with engine.begin() as connection:
            made.attributes["connection"] = connection
            command.upgrade(made, each)
            found[each] = schema_of(connection)
    engine.dispose()
    return found


def test_migrations_only_add_what_the_version_before_does_not_need(schemas):
    """To remove a column, stop using it in one release and remove it in the next one."""
    assert len(schemas) > 1
    for before, after in pairwise(revisions()):
        assert (after, breaking(schemas[before], schemas[after])) == (after, set())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda columns: columns.pop("name"), "people: name is missing"),
        (lambda columns: columns.update(age=("INTEGER", False, False)), "people: age must have a value"),
        (lambda columns: columns.update(name=("TEXT", False, False)), "people: name must have a value"),
        (lambda columns: columns.update(name=("BLOB", True, False)), "people: name is BLOB, and was TEXT"),
        (lambda columns: columns.update(age=("INTEGER", True, False)), None),
        (lambda columns: columns.update(age=("INTEGER", False, True)), None),
    ],
)
def test_what_counts_as_breaking(change, words):
    before: dict[str, Columns] = {"people": {"name": ("TEXT", True, False)}}
    after = {"people": dict(before["people"])}
    change(after["people"])
    assert breaking(before, after) == ({words} if words else set())
    assert breaking(before, {}) == {"people is missing"}
