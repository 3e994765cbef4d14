"""A database with its schema and vault, opened and closed together."""

from pathlib import Path
from types import TracebackType
from typing import Self

from app.database.cipher import Master
from app.database.engine import is_sqlite_file, open_engine
from app.database.file_lock import Occupancy
from app.database.schema import Schema
from app.database.vault import Vault


class Database:
    """The engine at a URL, its vault, and its schema as the migrations in a folder define it. A context manager."""

    def __init__(
        self,
        url: str,
        migrations: Path,
        master: Master | None = None,
        *,
        is_closed: bool = False,
        has_events: bool = True,
    ) -> None:
        """Connect lazily. With a master key, personal data is encrypted; see `require_current` and `Vault`.

        `has_events`: whether changes append events to the outbox.
        """
        self.engine = open_engine(url)
        self.engine.update_execution_options(has_events=has_events)
        self.vault = Vault(self.engine, master, is_closed=is_closed)
        self.schema = Schema(self.engine, migrations)
        self._occupancy: Occupancy | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        """Return the URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    def occupy(self) -> None:
        """Lock an SQLite file until `close`, so that no restore replaces it; does nothing for PostgreSQL.

        Raises DatabaseInUse while a restore runs.
        """
        url = self.engine.url
        if is_sqlite_file(url):
            self._occupancy = Occupancy.shared(Path(str(url.database)))

    def require_current(self) -> None:
        """Raise SchemaOutdated, or MasterKeyMissing or MasterKeyWrong if the data keys cannot be opened."""
        self.schema.require_current()
        self.vault.open_keys()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        if self._occupancy is not None:
            self._occupancy.release()
