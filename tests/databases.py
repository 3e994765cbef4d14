"""New databases for tests: all tests with the fixture `databases` run on SQLite and on PostgreSQL.

PostgreSQL's tests need TEST_POSTGRES, the URL of a server on which databases may be created (`.ci/postgres make test`
starts one); without it they are skipped.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text

from app.config import PROJECT
from app.database.engine import open_engine, sqlite_url
from app.database.schema import Schema
from app.gallery.store.identities import IdentityStore

MIGRATIONS = PROJECT / "migrations"


@dataclass(frozen=True)
class Databases:
    """Factory of databases of one kind; each is deleted after its context."""

    kind: str
    empty_url: Callable[[], AbstractContextManager[str]]
    """Of a database without tables."""
    url: Callable[[], AbstractContextManager[str]]
    """Of a database at the current schema, without rows."""

    @contextmanager
    def engine(self, *, is_empty: bool = False) -> Iterator[Engine]:
        """Open a new database."""
        with self.empty_url() if is_empty else self.url() as url:
            engine = open_engine(url)
            try:
                yield engine
            finally:
                engine.dispose()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(request, tmp_path_factory) -> Iterator[Databases]:
    """Factory of new databases."""
    if request.param == "sqlite":
        yield sqlite_databases(tmp_path_factory.mktemp("databases"))
    else:
        with postgresql_databases(server_url()) as made:
            yield made


@pytest.fixture
def engine(databases) -> Iterator[Engine]:
    """A new database at the current schema."""
    with databases.engine() as engine:
        yield engine


@pytest.fixture
def store(engine) -> IdentityStore:
    """The store of that database."""
    return IdentityStore(engine)


def server_url() -> URL:
    """Return the URL of the tests' server; skips without one."""
    given = os.environ.get("TEST_POSTGRES")
    if not given:
        pytest.skip("no PostgreSQL: run .ci/postgres make test, or set TEST_POSTGRES to the URL of a server for tests")
    return make_url(given).set(drivername="postgresql+psycopg")


def sqlite_databases(folder: Path) -> Databases:
    """Return SQLite databases, each a file in a folder."""

    @contextmanager
    def empty() -> Iterator[str]:
        path = folder / uuid4().hex
        yield sqlite_url(path)
        for each in folder.glob(f"{path.name}*"):
            each.unlink()

    template = folder / "template"
    migrate(sqlite_url(template))

    @contextmanager
    def current() -> Iterator[str]:
        with empty() as url:
            shutil.copyfile(template, str(make_url(url).database))
            yield url

    return Databases("sqlite", empty, current)


@contextmanager
def postgresql_databases(server: URL) -> Iterator[Databases]:
    """Yield databases of a PostgreSQL server; copying a migrated one is faster than migrating."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")

    @contextmanager
    def new(template: str = "template0") -> Iterator[str]:
        name = f"arcid_test_{uuid4().hex}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield server.set(database=name).render_as_string(hide_password=False)
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

    with new() as migrated:
        migrate(migrated)
        yield Databases("postgresql", new, lambda: new(str(make_url(migrated).database)))
    admin.dispose()


def migrate(url: str) -> None:
    """Upgrade a database to the current schema."""
    engine = open_engine(url)
    Schema(engine, MIGRATIONS).upgrade()
    engine.dispose()
