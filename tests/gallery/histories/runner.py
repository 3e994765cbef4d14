"""Runs histories one after the other, each on a new database."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import structlog
from sqlalchemy import make_url

from app.database.engine import sqlite_url
from tests.databases import migrate, postgresql_databases
from tests.gallery.histories.databases import HistoryDatabase
from tests.gallery.histories.simulation import Simulation

_MEMORY = Path("/dev/shm")  # noqa: S108 - a new folder in it


class Histories:
    """See `run`."""

    def __init__(self, folder: Path, new_database: Callable[[], AbstractContextManager[HistoryDatabase]]) -> None:
        self._folder, self._new_database = folder, new_database

    def run(self, seed: int) -> Simulation:
        """Run one history; raises Failed."""
        with self._new_database() as database, structlog.testing.capture_logs():
            simulation = Simulation(seed, database, self._folder)
            simulation.run()
            return simulation


@contextmanager
def histories(server: str | None = None) -> Iterator[Histories]:
    """Context manager: histories on SQLite in memory (if there is a disk in it), or on a PostgreSQL server."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name, ExitStack() as stack:
        folder = Path(name)
        if server is None:
            yield Histories(folder, _sqlite(folder))
            return
        made = stack.enter_context(postgresql_databases(make_url(server).set(drivername="postgresql+psycopg")))

        @contextmanager
        def new() -> Iterator[HistoryDatabase]:
            with made.url() as url:
                yield HistoryDatabase(url)

        yield Histories(folder, new)


def _sqlite(folder: Path) -> Callable[[], AbstractContextManager[HistoryDatabase]]:
    """Return a factory that copies a migrated file. All have one path, so that engines compile statements once."""
    template, path = folder / "template", folder / "history.db"
    migrate(sqlite_url(template))
    database = HistoryDatabase(sqlite_url(path))

    @contextmanager
    def new() -> Iterator[HistoryDatabase]:
        shutil.copyfile(template, path)
        yield database
        for each in folder.glob(f"{path.name}*"):
            each.unlink()

    return new
