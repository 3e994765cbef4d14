"""Sessions of people who signed in with an OpenID provider: short-lived API keys in a separate table."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select

from app.access.keys import ApiKey, NewSession, Scope
from app.access.secret import new_secret, sha256_of
from app.database import audit
from app.database.audit import Action, Actor
from app.database.session_table import SessionTable
from app.errors import SessionUnknown

_SESSIONS = select(
    SessionTable.session_id,
    SessionTable.name,
    SessionTable.sha256,
    SessionTable.scopes,
    SessionTable.collections,
    SessionTable.created_at,
    SessionTable.expires_at,
).order_by(SessionTable.id)


class SessionStore:
    """Starts, ends and lists sessions. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def start(self, session: NewSession, lifetime: timedelta) -> tuple[ApiKey, str]:
        """Store a session and return it with its secret, which is not stored; delete expired sessions."""
        now = datetime.now(UTC)
        session_id, secret = new_secret()
        scopes = sorted(each.value for each in session.scopes)
        collections = None if session.collections is None else sorted(session.collections)
        made = insert(SessionTable).values(
            session_id=session_id,
            subject=session.subject,
            name=session.name,
            sha256=sha256_of(secret),
            scopes=scopes,
            collections=collections,
            created_at=now,
            expires_at=now + lifetime,
        )
        person = Actor(session.name, session_id, audit.actor().request_id)
        with audit.acting(person), self._writing.begin() as connection:
            connection.execute(delete(SessionTable).where(SessionTable.expires_at <= now))
            connection.execute(made)
            detail = {"key_id": session_id, "scopes": scopes, "collections": collections}
            audit.append(connection, Action.SESSION_STARTED, subject=session.name, detail=detail)
            row = _row(connection, session_id)
        return _key(row), secret

    def end(self, session_id: str) -> None:
        """Delete a session; raises SessionUnknown."""
        with self._writing.begin() as connection:
            row = _row(connection, session_id)
            connection.execute(delete(SessionTable).where(SessionTable.session_id == session_id))
            audit.append(connection, Action.SESSION_ENDED, subject=row.name, detail={"key_id": session_id})

    def all(self) -> list[ApiKey]:
        """Return the sessions that have not expired, oldest first."""
        now = datetime.now(UTC)
        return [each for each in self.by_sha256().values() if each.state(now) == "active"]

    def by_sha256(self) -> Mapping[str, ApiKey]:
        """Return all sessions by the hash of their secret."""
        with self._reading.connect() as connection:
            return {row.sha256: _key(row) for row in connection.execute(_SESSIONS)}


def _row(connection: Connection, session_id: str) -> Row[*tuple[Any, ...]]:
    row = connection.execute(_SESSIONS.where(SessionTable.session_id == session_id)).first()
    if row is None:
        raise SessionUnknown(f"no session has the id {session_id!r}")
    return row


def _key(row: Row[*tuple[Any, ...]]) -> ApiKey:
    collections = None if row.collections is None else frozenset(row.collections)
    scopes = frozenset(map(Scope, row.scopes))
    return ApiKey(row.session_id, row.name, scopes, collections, row.created_at, row.expires_at, None)
