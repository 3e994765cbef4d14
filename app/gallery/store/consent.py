"""Consent of enrolled people: storage, and the check before an enrollment."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, IdentityTable
from app.errors import ConsentMissing
from app.gallery.store.values import Collection, Consent, JsonObject

_CONSENT = TypeAdapter(Consent)


def stored(consent: Consent | None) -> dict[str, Any] | None:
    """Return the stored form of a consent."""
    if consent is None:
        return None
    return {name: each.isoformat() if isinstance(each, datetime) else each for name, each in asdict(consent).items()}


def value(row: JsonObject | None) -> Consent | None:
    """Return the consent from its stored form."""
    return None if row is None else _CONSENT.validate_python(row)


def require(session: Session, of: Collection, identity: IdentityTable, now: datetime) -> None:
    """Raise ConsentMissing if the collection requires consent and this person's is missing or has ended."""
    if not session.scalar(select(CollectionTable.is_consent_required).where(CollectionTable.id == of.key)):
        return
    given = value(identity.consent)
    if given is None or given.has_ended(now):
        state = "is missing" if given is None else "has ended"
        raise ConsentMissing(
            f"collection {of.name!r} requires consent, and that of {identity.identity_id!r} {state}: send `consent`"
        )
