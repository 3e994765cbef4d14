"""Translation of database driver errors, by their codes, into errors of the domain."""

import sqlite3

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

from app.errors import ArcidError, DatabaseNotWritable, DatabaseUnavailable

NO_ANSWER = "the database does not answer; try again in a few seconds"
BUSY = "the database is locked by another writer; try again in a few seconds"
DISK_FULL = "the database's disk is full; make room on it and send this request again: only acknowledged data is stored"
READ_ONLY = "the database file is read-only; make it and its folder writable for the user that runs the service"
NO_FOLDER = (
    "the database's file or folder cannot be opened; both must be writable for the user that runs the service, "
    "and their disk not read-only"
)

_SQLITE: dict[int, tuple[type[ArcidError], str]] = {
    sqlite3.SQLITE_BUSY: (DatabaseUnavailable, BUSY),
    sqlite3.SQLITE_LOCKED: (DatabaseUnavailable, BUSY),
    sqlite3.SQLITE_IOERR: (DatabaseUnavailable, "the database's disk has an I/O error; see the service's log"),
    sqlite3.SQLITE_IOERR_SHMSIZE: (DatabaseNotWritable, DISK_FULL),  # for the index of the log, when a file is opened
    sqlite3.SQLITE_FULL: (DatabaseNotWritable, DISK_FULL),
    sqlite3.SQLITE_READONLY: (DatabaseNotWritable, READ_ONLY),
    sqlite3.SQLITE_CANTOPEN: (DatabaseNotWritable, NO_FOLDER),
}
_DISK_FULL = "53100"
_READ_ONLY = "25006"
_WAITED_TOO_LONG = {
    "55P03",  # lock timeout
    "57014",  # statement timeout
    "40P01",  # deadlock: one transaction is rolled back and can be retried
    "40001",  # serialization failure: can be retried
}


def translate(context: ExceptionContext) -> None:
    """Raise the domain's error for failures that pass or that the operator can fix; for the event `handle_error`.

    All other errors, such as IntegrityError, remain SQLAlchemy's.
    """
    if context.is_pre_ping:  # the pool opens a new connection, and reports if that fails too
        return
    original = context.original_exception
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", 0)
        primary = code & 0xFF  # the lower bits alone
        found = _SQLITE.get(code) or _SQLITE.get(primary)
        if primary == sqlite3.SQLITE_READONLY:
            # A connection that was opened while the file system was read-only stays so; the next one may write.
            context.is_disconnect = True
    else:
        found = _of_server(context, getattr(original, "sqlstate", None))
    if found is not None:
        kind, message = found
        raise kind(message, " ".join(str(original).split()))


def _of_server(context: ExceptionContext, state: str | None) -> tuple[type[ArcidError], str] | None:
    if state == _DISK_FULL:
        return DatabaseNotWritable, DISK_FULL
    if state == _READ_ONLY and not _is_reader(context):
        # The server has become a standby: the next connection may reach the new primary.
        context.is_disconnect = True
        return DatabaseUnavailable, NO_ANSWER
    if state in _WAITED_TOO_LONG:
        return DatabaseUnavailable, BUSY
    if context.is_disconnect or isinstance(context.sqlalchemy_exception, OperationalError):
        return DatabaseUnavailable, NO_ANSWER
    return None


def _is_reader(context: ExceptionContext) -> bool:
    return context.connection is not None and bool(context.connection.get_execution_options().get("is_reader"))
