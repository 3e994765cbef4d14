"""PostgreSQL through psycopg 3 (the extra `postgres`): timeouts and transaction modes."""

from typing import Any

from psycopg import Connection, IsolationLevel, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event

from app.database.reconnecting import Reconnecting

STATEMENT_TIMEOUT_S = 30
LOCK_TIMEOUT_S = 5  # the same as SQLite's busy timeout
IDLE_TIMEOUT_S = 30
ANSWER_TIMEOUT_S = STATEMENT_TIMEOUT_S + 5
PING_TIMEOUT_S = 3

# Parameters in the URL (`?connect_timeout=10`) override these.
_CONNECTING: dict[str, str | int] = {
    "fallback_application_name": "arcid",
    "connect_timeout": 4,
    # Detect a dead machine (no power, no network) within about 15 s.
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    # The server cancels slow statements, and transactions of dead replicas, which would hold their locks.
    "options": (
        f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c lock_timeout={LOCK_TIMEOUT_S}s"
        f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT_S}s"
    ),
}


class _Connection(Connection[Any]):
    """A connection that waits for an answer only for a limited time.

    The server's own timeouts do not help when the server hangs (a stopped process, a dead disk). TCP's timeouts do not
    help either while the machine is up.
    """

    has_time = False

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait as psycopg does; close the connection if the answer is overdue, because it might still arrive."""
        # SQLAlchemy uses autocommit only to check whether a pooled connection is alive.
        limit = PING_TIMEOUT_S if self.autocommit else None if self.has_time else ANSWER_TIMEOUT_S
        try:
            return super().wait(gen, interval, timeout or limit)
        except OperationalError:
            if self.info.transaction_status is TransactionStatus.ACTIVE:
                self.close()
            raise


def prepare(engine: Engine) -> None:
    """Make `engine` connect with these timeouts, and open transactions by its execution options."""
    server = Reconnecting(OperationalError)

    def connect(_dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> _Connection:
        return server.connect(lambda: _Connection.connect(*arguments, **{**_CONNECTING, **parameters}))

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "begin", _begin)


def _begin(connection: Any) -> None:
    options = connection.get_execution_options()
    is_reader, has_time = options.get("is_reader", False), options.get("has_time", False)
    driver = connection.connection.dbapi_connection
    # Sent with BEGIN. All queries of a reader see the same snapshot.
    driver.read_only = is_reader or None  # not False: a standby refuses that before it can report that it is one
    driver.isolation_level = IsolationLevel.REPEATABLE_READ if is_reader else IsolationLevel.READ_COMMITTED
    driver.has_time = has_time
    if has_time:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
