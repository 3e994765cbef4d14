"""API keys in SQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.access.keys import ApiKey, NewKey, Scope
from app.access.rates import Rate
from app.access.secret import new_secret, sha256_of
from app.database import audit
from app.database.audit import Action
from app.database.tables import KeyTable
from app.errors import KeyExists, KeyMissing, KeyUnknown, LastAdminKey

_KEYS = select(
    KeyTable.id,
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

    def create(
        self, key: NewKey, given: tuple[str, str] | None = None, *, must_be_first: bool = False
    ) -> tuple[ApiKey, str]:
        """Store a new key and return it with its secret, which is not stored. Raises KeyExists if the name is taken.

        Args:
            key: The key's name and permissions.
            given: Id and secret of a key that was generated elsewhere (`arcid keys first`).
            must_be_first: Raise KeyMissing if any key exists or has existed.
        """
        key_id, secret = given or new_secret()
        kept = _kept(key)
        row = insert(KeyTable).values(
            **kept,
            key_id=key_id,
            name=key.name,
            sha256=sha256_of(secret),
            created_at=datetime.now(UTC),
            expires_at=key.expires_at,
        )
        ends = key.expires_at.astimezone(UTC).isoformat() if key.expires_at else None
        detail = {**kept, "key_id": key_id, "expires_at": ends}
        try:
            with self._writing.begin() as connection:
                connection.execute(row)
                audit.append(connection, Action.KEY_CREATED, subject=key.name, detail=detail)
                if must_be_first:
                    _require_alone(connection)
                made = connection.execute(_KEYS.where(KeyTable.key_id == key_id)).one()
        except IntegrityError as error:
            raise KeyExists(f"a key {key.name!r} exists already; revoke it first, or choose another name") from error
        return _key(made), secret

    def revoke(self, name_or_id: str) -> ApiKey:
        """Revoke the key with this name or id for good; raises KeyUnknown if no such key is active."""
        with self._writing.begin() as connection:
            unrevoked = _lock_unrevoked(connection)
            # An id wins over a name: a key may be named like another key's id.
            found = [each for each in unrevoked if each.key_id == name_or_id]
            found += [each for each in unrevoked if each.name == name_or_id]
            if not found:
                raise KeyUnknown(f"no active key has the name or id {name_or_id!r}")
            return _revoke(connection, found[0])

    def revoke_unless_last(self, key_id: str) -> ApiKey:
        """Revoke the key with this id; raises KeyUnknown, or LastAdminKey if no other key could create keys."""
        with self._writing.begin() as connection:
            unrevoked, now = _lock_unrevoked(connection), datetime.now(UTC)
            found = next((each for each in unrevoked if each.key_id == key_id), None)
            if found is None:
                raise KeyUnknown(f"no unrevoked key has the id {key_id!r}")
            admins = [each.key_id for each in unrevoked if each.is_full_admin(now)]
            if admins == [key_id]:
                raise LastAdminKey(
                    f"the key {key_id} is the last one with scope admin for all collections; create another one first, "
                    "or run: arcid keys revoke"
                )
            return _revoke(connection, found)

    def all(self) -> list[ApiKey]:
        """Return all keys, also revoked ones, oldest first."""
        return list(self.by_sha256().values())

    def numbered(self) -> list[tuple[int, ApiKey]]:
        """Return all keys with their row numbers, oldest first."""
        with self._reading.connect() as connection:
            return [(row.id, _key(row)) for row in connection.execute(_KEYS)]

    def by_sha256(self) -> dict[str, ApiKey]:
        """Return all keys by the hash of their secret."""
        with self._reading.connect() as connection:
            return {row.sha256: _key(row) for row in connection.execute(_KEYS)}


def _kept(key: NewKey) -> dict[str, Any]:
    """Return the permissions and limits of a new key as they are stored."""
    return {
        "scopes": sorted({scope.value for scope in key.scopes}),
        "collections": None if key.collections is None else sorted(set(key.collections)),
        "rate": _text(key.rate),
        "quota": _text(key.quota),
    }


def _require_alone(connection: Connection) -> None:
    """Raise KeyMissing if there is another key. Call it after `audit.append`, whose lock orders all creations."""
    if connection.scalar(select(func.count()).select_from(KeyTable)) != 1:
        raise KeyMissing("the service has API keys now; send one")


def _lock_unrevoked(connection: Connection) -> list[ApiKey]:
    """Return the keys that are not revoked, oldest first, and keep others from revoking them."""
    return [_key(row) for row in connection.execute(_KEYS.where(KeyTable.revoked_at.is_(None)).with_for_update())]


def _revoke(connection: Connection, key: ApiKey) -> ApiKey:
    is_it = KeyTable.key_id == key.key_id
    connection.execute(update(KeyTable).where(is_it).values(revoked_at=datetime.now(UTC)))
    row = connection.execute(_KEYS.where(is_it)).one()
    audit.append(connection, Action.KEY_REVOKED, subject=row.name, detail={"key_id": row.key_id})
    return _key(row)


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
