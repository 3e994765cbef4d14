"""The embedded database as a file: copy it while it is in use, check it, and replace it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.database.engine import BUSY_TIMEOUT_MS, is_sqlite_file
from app.disk import rename, sync_folder
from app.errors import ArchiveDamaged, ArchiveInvalid, BackupImpossible, DatabaseInUse, DatabaseUnavailable

_PAGES_AT_ONCE = 2000  # about 8 MB between two checks for cancellation
_BESIDE = ("-wal", "-shm", "-journal")


def sqlite_file(url: str) -> Path:
    """Return the file of an SQLite URL; for PostgreSQL raises BackupImpossible, naming the commands to run instead."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BackupImpossible("ARCID_DATABASE_URL is not a database URL") from error
    if is_sqlite_file(parsed):
        return Path(str(parsed.database))
    shown = parsed._replace(drivername=parsed.get_backend_name(), password=None).render_as_string()
    raise BackupImpossible(
        "only the embedded database is backed up and restored by this command; for PostgreSQL: "
        f"pg_dump --format=custom --file=arcid.dump '{shown}', and to restore, with every replica stopped: "
        f"pg_restore --clean --if-exists --single-transaction --dbname='{shown}' arcid.dump, then: arcid db renew-uids"
    )


def copy(source: Path, target: Path, copied: Callable[[int, int], None]) -> None:
    """Copy a consistent snapshot of a database, without deleted data, to a new file; writers are not blocked.

    `copied` is called with the number of copied pages and the total. Raises DatabaseUnavailable.
    """
    rough = target.with_name(target.name + ".rough")
    try:
        with _translated(source), _opened(source) as reader, closing(sqlite3.connect(rough)) as writer:
            # Without this read transaction, each write by others would restart the copy.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reader.backup(
                writer, pages=_PAGES_AT_ONCE, progress=lambda _, left, total: copied(total - left, total), sleep=0
            )
            reader.execute("ROLLBACK")
        with _translated(source), closing(sqlite3.connect(rough)) as whole:
            # Free pages still contain deleted data; a rewritten database does not.
            whole.execute("VACUUM INTO ?", (str(target),))
    finally:
        _remove(rough)


def check(path: Path) -> None:
    """Raise ArchiveDamaged or ArchiveInvalid if a file is not a complete SQLite database."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            said = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
            orphan = database.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise ArchiveInvalid("its database is not an SQLite database") from error
    if said != "ok" or orphan is not None:
        raise ArchiveDamaged(f"its database is damaged: {said if orphan is None else 'rows without their owners'}")


def fold(path: Path) -> None:
    """Fold the write-ahead log into the database file; raises DatabaseInUse if any process has it open.

    A file that is not a database is left unchanged.
    """
    try:
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise DatabaseInUse(f"a service or command has {path} open; stop it first") from error
    except sqlite3.DatabaseError:
        return


def replace(path: Path, new: Path, aside: Path) -> None:
    """Give the database `new` the name `path` too, and the previous database, if any, the name `aside`.

    An interrupted call may be repeated, also after a power failure. `new` must be synced. Raises DatabaseInUse.
    """
    has_old = path.exists()
    if has_old and path.samefile(new):
        return
    if has_old:
        fold(path)
    for suffix in _BESIDE:  # left by a database that was too damaged to fold them in
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    # SQLite does not sync the deletion of its log. If a power failure brought it back, SQLite would write its pages
    # into the new database.
    sync_folder(path.parent)
    if has_old:
        aside.unlink(missing_ok=True)  # a second name of the same file, left by an interrupted attempt
        aside.hardlink_to(path)  # so that the name always leads to a database
        sync_folder(aside.parent)
    linked = new.with_name(f"{new.name}.linked")
    linked.unlink(missing_ok=True)
    linked.hardlink_to(new)
    rename(linked, path)


def put_back(path: Path, new: Path, aside: Path) -> None:
    """Undo `replace`, also if it stopped halfway."""
    if path.exists() and path.samefile(new):
        if aside.exists():
            rename(aside, path)
        else:
            path.unlink()
    for suffix in _BESIDE:
        beside = aside.with_name(aside.name + suffix)
        if beside.exists():
            rename(beside, path.with_name(path.name + suffix))


def keep(aside: Path, path: Path) -> Path:
    """Give a database that was set aside a permanent name next to `path`; return the name."""
    kept = path.with_name(f"{path.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    for suffix in ("", *_BESIDE):
        each = aside.with_name(aside.name + suffix)
        if each.exists():
            rename(each, kept.with_name(kept.name + suffix))
    return kept


def _remove(path: Path) -> None:
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _opened(path: Path) -> closing[sqlite3.Connection]:
    # Not read-only: a reader may have to create the index of the write-ahead log.
    uri = f"{path.resolve().as_uri()}?mode=rw"
    return closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None))


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DatabaseUnavailable(f"{path} cannot be read", str(error)) from error
