"""Retention: an identity is kept until its `expires_at`, or a number of days after its last enrollment.

The earlier time counts. From then on searches do not find the identity; a sweep erases it soon after.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, and_, func, or_, select
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, IdentityTable
from app.gallery.store import rows
from app.gallery.store.values import Collection

_LAST = func.coalesce(IdentityTable.enrolled_at, IdentityTable.updated_at)
TERMS = (IdentityTable.expires_at, _LAST.label("last_enrolled_at"), CollectionTable.retention_days)
"""The columns that `ends_at` needs."""


def ends_at(row: Row[*tuple[Any, ...]]) -> datetime | None:
    """Return when the identity of a row with TERMS expires; None: never."""
    return _end(row.expires_at, row.last_enrolled_at, row.retention_days)


def is_over(row: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """Return whether the identity of a row with TERMS has expired."""
    end = ends_at(row)
    return end is not None and end <= now


def has_expired(session: Session, identity: IdentityTable, now: datetime) -> bool:
    """Return whether an identity has expired."""
    days = session.scalar(select(CollectionTable.retention_days).where(CollectionTable.id == identity.collection_id))
    end = _end(identity.expires_at, identity.enrolled_at or identity.updated_at, days)
    return end is not None and end <= now


def take_over(source: IdentityTable, target: IdentityTable) -> None:
    """Merge terms into `target`: the later enrollment, the earlier expiry and its own consent count."""
    target.enrolled_at = max(each.enrolled_at or each.updated_at for each in (source, target))
    ends = [each.expires_at for each in (source, target) if each.expires_at is not None]
    target.expires_at = min(ends, default=None)
    target.consent = target.consent or source.consent


def _end(expires_at: datetime | None, last_enrolled_at: datetime, retention_days: int | None) -> datetime | None:
    kept_until = None if retention_days is None else last_enrolled_at + timedelta(days=retention_days)
    return min((each for each in (expires_at, kept_until) if each is not None), default=None)


class Retention:
    """Expired identities, which the retention worker erases."""

    def __init__(self, engine: Engine) -> None:
        self._reading = engine.execution_options(is_reader=True)

    def expired(self, now: datetime, limit: int) -> list[tuple[Collection, str]]:
        """Return at most `limit` expired identities, each with its collection."""
        found: list[tuple[Collection, str]] = []
        with self._reading.connect() as connection:
            for collection in [rows.collection(row) for row in connection.execute(rows.COLLECTIONS)]:
                days = collection.settings.retention_days
                over = IdentityTable.expires_at <= now
                if days is not None:
                    kept_from = now - timedelta(days=days)
                    nobody_noted = and_(IdentityTable.enrolled_at.is_(None), IdentityTable.updated_at <= kept_from)
                    over = or_(over, IdentityTable.enrolled_at <= kept_from, nobody_noted)
                query = select(IdentityTable.identity_id).where(IdentityTable.collection_id == collection.key, over)
                read = connection.scalars(query.order_by(IdentityTable.id).limit(limit - len(found)))
                found += [(collection, identity_id) for identity_id in read]
                if len(found) >= limit:
                    break
        return found
