"""A database and its schema, opened together and let go together."""

from pathlib import Path
from types import TracebackType
from typing import Self

from app.database.engine import open_engine
from app.database.schema import Schema


class Database:
    """The engine at a URL, and how its schema stands against the migrations of a folder. Use as a context, or close."""

    def __init__(self, url: str, migrations: Path) -> None:
        self.engine = open_engine(url)
        self.schema = Schema(self.engine, migrations)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        """Return the URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()
