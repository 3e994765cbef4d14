"""The database schema: its revision, the revision this version needs, and upgrades by Alembic."""

from functools import cached_property
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import DatabaseUnavailable, SchemaOutdated
from app.observability.logs import get_logger

_log = get_logger(__name__)

_UPGRADE_LOCK = 0x41726349  # an arbitrary number that no other program locks
_NO_ANSWER = "the database does not answer; its address is ARCID_DATABASE_URL"


class Schema:
    """The migrations in a folder, applied to one database."""

    def __init__(self, engine: Engine, migrations: Path) -> None:
        self._engine = engine
        self._config = Config()
        self._config.set_main_option("script_location", str(migrations).replace("%", "%%"))
        self._config.set_main_option("path_separator", "os")

    def head(self) -> str:
        """Return the revision that this version of the code needs."""
        return self._scripts.get_current_head() or "empty"

    def current(self) -> str:
        """Return the database's revision, or "empty" if it has no tables; raises DatabaseUnavailable."""
        try:
            with self._engine.execution_options(is_reader=True).connect() as connection:
                return MigrationContext.configure(connection).get_current_revision() or "empty"
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(_NO_ANSWER, _words(error)) from error

    def is_known(self, revision: str) -> bool:
        """Return whether this version of the code can upgrade a database from a revision to `head`."""
        return revision == "empty" or revision in {script.revision for script in self._scripts.walk_revisions()}

    @cached_property
    def _scripts(self) -> ScriptDirectory:
        """The migrations of this version; those in the folder may be replaced while the process runs."""
        return ScriptDirectory.from_config(self._config)

    def upgrade(self) -> None:
        """Upgrade the database to `head`, if it is not there yet.

        Raises SchemaOutdated if a newer version has upgraded it, or DatabaseUnavailable.
        """
        try:
            with self._engine.execution_options(has_time=True).begin() as connection:
                if connection.dialect.name == "postgresql":  # on SQLite, BEGIN IMMEDIATE admits one upgrade at a time
                    connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
                before = MigrationContext.configure(connection).get_current_revision() or "empty"
                self._require_known(before)
                self._config.attributes["connection"] = connection
                command.upgrade(self._config, "head")
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(_NO_ANSWER, _words(error)) from error
        if before != self.head():
            _log.info("database.upgraded", before=before, now=self.head())

    def require_current(self) -> None:
        """Raise SchemaOutdated, naming the command that upgrades it, if the database is not at `head`."""
        current, head = self.current(), self.head()
        self._require_known(current)
        if current != head:
            raise SchemaOutdated(
                f"the database is at revision {current}, this version needs {head}; run: arcid db upgrade"
            )

    def require_compatible(self) -> str:
        """Return the revision; raise SchemaOutdated if it is older than `head`, for a process that already runs.

        During a rolling upgrade, the database has the next version's schema while replicas of this version still serve.
        They can, because a migration only adds what the version before it does not need
        (tests/database/test_additive_migrations.py).
        """
        current = self.current()
        if self.is_known(current) and current != self.head():
            self.require_current()
        return current

    def _require_known(self, revision: str) -> None:
        if not self.is_known(revision):
            raise SchemaOutdated(
                f"the database is at revision {revision}, newer than {self.head()} of this version of ArcID, and no "
                "schema is ever downgraded; start the version that upgraded the database, or restore the backup made "
                "before the upgrade"
            )


def _words(error: SQLAlchemyError) -> str:
    """Return the driver's message as one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
