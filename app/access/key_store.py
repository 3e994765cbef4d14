"""API keys in SQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Row, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.access.keys import ApiKey, NewKey, Scope
from app.access.rates import Rate
from app.access.secret import new_secret, sha256_of
from app.database import audit
from app.database.audit import Action
from app.database.tables import KeyTable
from app.errors import KeyExists, KeyUnknown

_KEYS = select(
    KeyTable.key_id,
    KeyTable.name,
    KeyTable.sha256,
    KeyTable.scopes,
    KeyTable.collections,
    KeyTable.created_at,
    KeyTable.expires_at,
    KeyTable.revoked_at,
    KeyTable.rate,
    KeyTable.quota,
).order_by(KeyTable.id)


class KeyStore:
    """Creates, revokes and lists keys. Every method is one transaction; keys are never deleted."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def create(self, key: NewKey, given: tuple[str, str] | None = None) -> tuple[ApiKey, str]:
        """Store a new key and return it with its secret, which is not stored. Raises KeyExists if the name is taken.

        `given`: id and secret of a key that was generated elsewhere (`arcid keys first`).
        """
        key_id, secret = given or new_secret()
        scopes = sorted({scope.value for scope in key.scopes})
        collections = None if key.collections is None else sorted(set(key.collections))
        made = insert(KeyTable).values(
            key_id=key_id,
            name=key.name,
            sha256=sha256_of(secret),
            scopes=scopes,
            collections=collections,
            created_at=datetime.now(UTC),
            expires_at=key.expires_at,
            rate=_text(key.rate),
            quota=_text(key.quota),
        )
        try:
            with self._writing.begin() as connection:
                connection.execute(made)
                audit.append(
                    connection,
                    Action.KEY_CREATED,
                    subject=key.name,
                    detail={
                        "key_id": key_id,
                        "scopes": scopes,
                        "collections": collections,
                        "expires_at": key.expires_at.astimezone(UTC).isoformat() if key.expires_at else None,
                        "rate": _text(key.rate),
                        "quota": _text(key.quota),
                    },
                )
                row = connection.execute(_KEYS.where(KeyTable.key_id == key_id)).one()
        except IntegrityError as error:
            raise KeyExists(f"a key {key.name!r} exists already; revoke it first, or choose another name") from error
        return _key(row), secret

    def revoke(self, name_or_id: str) -> ApiKey:
        """Revoke the key with this name or id for good; raises KeyUnknown if no such key is active."""
        found = (KeyTable.revoked_at.is_(None)) & or_(KeyTable.key_id == name_or_id, KeyTable.name == name_or_id)
        with self._writing.begin() as connection:
            # An id wins over a name: a key may be named like another key's id.
            ids = sorted(connection.scalars(select(KeyTable.key_id).where(found)), key=lambda each: each != name_or_id)
            if not ids:
                raise KeyUnknown(f"no active key has the name or id {name_or_id!r}")
            change = update(KeyTable).where(KeyTable.key_id == ids[0]).values(revoked_at=datetime.now(UTC))
            connection.execute(change)
            row = connection.execute(_KEYS.where(KeyTable.key_id == ids[0])).one()
            audit.append(connection, Action.KEY_REVOKED, subject=row.name, detail={"key_id": row.key_id})
        return _key(row)

    def all(self) -> list[ApiKey]:
        """Return all keys, also revoked ones, oldest first."""
        return list(self.by_sha256().values())

    def by_sha256(self) -> dict[str, ApiKey]:
        """Return all keys by the hash of their secret."""
        with self._reading.connect() as connection:
            return {row.sha256: _key(row) for row in connection.execute(_KEYS)}


def _key(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        row.key_id,
        row.name,
        frozenset(map(Scope, row.scopes)),
        None if row.collections is None else frozenset(row.collections),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        _rate(row.rate),
        _rate(row.quota),
    )


def _text(rate: Rate | None) -> str | None:
    return None if rate is None else str(rate)


def _rate(text: str | None) -> Rate | None:
    return None if text is None else Rate.parse(text)
