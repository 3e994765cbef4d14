"""What goes wrong in a database's driver, in the domain's words. The one place that knows the drivers' codes."""

import sqlite3

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

from app.errors import ArcidError, DatabaseNotWritable, DatabaseUnavailable

NO_ANSWER = "the database does not answer; try again in a few seconds"
BUSY = "the database is locked by another writer; try again in a few seconds"
DISK_FULL = (
    "the database's disk is full; make room on it, then send this again: what was acknowledged is stored, this is not"
)
READ_ONLY = (
    "the database's file cannot be written; make the file and its folder writable for the user that runs the service"
)
NO_FOLDER = (
    "the database's file or folder cannot be opened; both must be writable for the user that runs the service, "
    "and their disk not read-only"
)

_SQLITE: dict[int, tuple[type[ArcidError], str]] = {
    sqlite3.SQLITE_BUSY: (DatabaseUnavailable, BUSY),
    sqlite3.SQLITE_LOCKED: (DatabaseUnavailable, BUSY),
    sqlite3.SQLITE_IOERR: (DatabaseUnavailable, "the database's disk does not work; the service's log says why"),
    sqlite3.SQLITE_IOERR_SHMSIZE: (DatabaseNotWritable, DISK_FULL),  # of the log's index, when a file is opened
    sqlite3.SQLITE_FULL: (DatabaseNotWritable, DISK_FULL),
    sqlite3.SQLITE_READONLY: (DatabaseNotWritable, READ_ONLY),
    sqlite3.SQLITE_CANTOPEN: (DatabaseNotWritable, NO_FOLDER),
}
_DISK_FULL = "53100"
_READ_ONLY = "25006"
_WAITED_TOO_LONG = {
    "55P03",  # for a lock
    "57014",  # for a statement
    "40P01",  # a deadlock: one of its transactions is ended, and can be tried again
    "40001",  # a serialisation failure likewise
}


def translate(context: ExceptionContext) -> None:
    """Raise the domain's error for what the operator or time can mend; for SQLAlchemy's `handle_error` event.

    Everything else (IntegrityError first of all) stays SQLAlchemy's.
    """
    if context.is_pre_ping:  # the pool takes a new connection; if that fails too, it is here again
        return
    original = context.original_exception
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", 0)
        found = _SQLITE.get(code) or _SQLITE.get(code & 0xFF)  # without the detail in the upper bits
    else:
        found = _of_server(context, getattr(original, "sqlstate", None))
    if found is not None:
        kind, message = found
        raise kind(message, " ".join(str(original).split()))


def _of_server(context: ExceptionContext, state: str | None) -> tuple[type[ArcidError], str] | None:
    if state == _DISK_FULL:
        return DatabaseNotWritable, DISK_FULL
    if state == _READ_ONLY and not _is_reader(context):
        # The server has become a standby: the next connection may lead to the one that has taken over.
        context.is_disconnect = True
        return DatabaseUnavailable, NO_ANSWER
    if state in _WAITED_TOO_LONG:
        return DatabaseUnavailable, BUSY
    if context.is_disconnect or isinstance(context.sqlalchemy_exception, OperationalError):
        return DatabaseUnavailable, NO_ANSWER
    return None


def _is_reader(context: ExceptionContext) -> bool:
    return context.connection is not None and bool(context.connection.get_execution_options().get("is_reader"))
