"""Is the database's schema the one that this version needs? Upgrades run Alembic's scripts in `migrations/`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import DatabaseUnavailable, SchemaOutdated

_UPGRADE_LOCK = 0x41726349  # any number, as long as nobody else locks it
_NO_ANSWER = "the database does not answer; its address is ARCID_DATABASE_URL"


class Schema:
    """The migrations of a folder, against one database."""

    def __init__(self, engine: Engine, migrations: Path) -> None:
        self._engine = engine
        self._config = Config()
        self._config.set_main_option("script_location", str(migrations).replace("%", "%%"))
        self._config.set_main_option("path_separator", "os")

    def head(self) -> str:
        """Return the revision that this version of the code needs."""
        head = ScriptDirectory.from_config(self._config).get_current_head()
        return head or "empty"

    def current(self) -> str:
        """Return the revision of the database, "empty" for one without tables; raises DatabaseUnavailable."""
        try:
            with self._engine.execution_options(is_reader=True).connect() as connection:
                return MigrationContext.configure(connection).get_current_revision() or "empty"
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(_NO_ANSWER, _words(error)) from error

    def is_known(self, revision: str) -> bool:
        """Say whether this version of the code can bring a database from a revision to `head`."""
        known = ScriptDirectory.from_config(self._config).walk_revisions()
        return revision == "empty" or revision in {script.revision for script in known}

    def upgrade(self) -> None:
        """Bring the database to `head`; does nothing when it is there.

        Raises SchemaOutdated when it cannot be brought there, DatabaseUnavailable.
        """
        try:
            with self._engine.execution_options(has_time=True).begin() as connection:
                if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE lets in one upgrade at a time
                    connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
                self._config.attributes["connection"] = connection
                command.upgrade(self._config, "head")
        except CommandError as error:  # the database is of a later version of the code
            raise SchemaOutdated(f"the database cannot be brought to revision {self.head()}: {error}") from error
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(_NO_ANSWER, _words(error)) from error

    def require_current(self) -> None:
        """Raise SchemaOutdated, with the command that mends it, unless the database is at `head`."""
        current, head = self.current(), self.head()
        if current != head:
            raise SchemaOutdated(
                f"the database is at revision {current}, this version needs {head}; run: arcid db upgrade"
            )


def _words(error: SQLAlchemyError) -> str:
    """Return what the driver said, in one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
