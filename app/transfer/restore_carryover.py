"""Carry-over of a restore from the replaced database: revoked keys, erased people, withdrawn consent.

A backup is older than the database that it replaces, and must not bring back later revocations and erasures. Sessions
end: people sign in again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.erasures import erased_since
from app.database.session_table import SessionTable
from app.database.tables import AuditTable, CollectionTable, IdentityTable, KeyTable
from app.errors import IdentityUnknown
from app.gallery.store.identities import IdentityStore
from app.jobs.traces import JobTraces

_LIMITS = (KeyTable.revoked_at, KeyTable.expires_at, KeyTable.rate, KeyTable.quota)


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """The numbers of revoked keys, of people erased again, and of people with renewed terms of consent.

    `has_followed`: the replaced database continued from the backup, so that its trail records later erasures. Otherwise
    these are unknown.
    """

    revoked: int
    erased: int
    terms: int
    has_followed: bool


def carry_over(old: Engine | None, new: Engine, *, are_keys_kept: bool = False) -> CarriedOver:
    """Carry over from the replaced database (None if unreadable) to the restored one.

    A key stays valid only if the replaced database has it, unrevoked. With `are_keys_kept`, keys that it lacks stay
    valid too.
    """
    if old is None:
        return CarriedOver(_revoke(None, new, are_keys_kept=are_keys_kept), 0, 0, has_followed=False)
    with old.execution_options(is_reader=True).connect() as replaced:
        revoked = _revoke(replaced, new, are_keys_kept=are_keys_kept)
        since = _common_line(replaced, new)
        if since is None:
            return CarriedOver(revoked, 0, 0, has_followed=False)
        return CarriedOver(revoked, _erase(replaced, new, since), _renew_terms(replaced, new, since), has_followed=True)


def _common_line(replaced: Connection, new: Engine) -> int | None:
    """Return the last line of the restored trail that the replaced trail has too; None if the trails are unrelated."""
    with new.execution_options(is_reader=True).connect() as restored:
        lines = select(AuditTable.seq, AuditTable.sha256).order_by(AuditTable.seq.desc())
        for seq, sha256 in restored.execute(lines):
            if replaced.scalar(select(AuditTable.sha256).where(AuditTable.seq == seq)) == sha256:
                return int(seq)
    return None


def _revoke(replaced: Connection | None, new: Engine, *, are_keys_kept: bool) -> int:
    known = {} if replaced is None else {row.key_id: row for row in replaced.execute(select(KeyTable.key_id, *_LIMITS))}
    revoked = 0
    with Session(new) as session, session.begin():
        session.execute(delete(SessionTable))
        for key in session.scalars(select(KeyTable).where(KeyTable.revoked_at.is_(None))):
            row = known.get(key.key_id)
            if row is not None:
                key.expires_at, key.rate, key.quota = row.expires_at, row.rate, row.quota
            if (row is not None and row.revoked_at is None) or (row is None and are_keys_kept):
                continue
            key.revoked_at = datetime.now(UTC) if row is None else row.revoked_at
            session.flush()
            audit.append(session, Action.KEY_REVOKED, subject=key.name, detail={"key_id": key.key_id, "by": "restore"})
            revoked += 1
    return revoked


def _erase(replaced: Connection, new: Engine, since: int) -> int:
    store, traces, erased = IdentityStore(new), JobTraces(new), 0
    for collection in store.collections():
        with new.execution_options(is_reader=True).connect() as restored:
            ids = restored.scalars(
                select(IdentityTable.identity_id).where(IdentityTable.collection_id == collection.key)
            ).all()
        for identity_id in sorted(erased_since(replaced, collection.name, ids, since)):
            try:
                removed = store.remove_identity(collection, identity_id)
            except IdentityUnknown:
                continue
            traces.redact(collection.name, [identity_id, removed.name or ""])
            erased += 1
    return erased


def _renew_terms(replaced: Connection, new: Engine, since: int) -> int:
    """Copy consent and end dates that changed after the backup."""
    lines = select(AuditTable.collection, AuditTable.subject).where(
        AuditTable.seq > since, AuditTable.action == Action.IDENTITY_CHANGED.value
    )
    renewed = 0
    for collection, identity_id in {(row.collection, row.subject) for row in replaced.execute(lines)}:
        person = replaced.execute(
            select(IdentityTable.consent, IdentityTable.expires_at)
            .join(CollectionTable, CollectionTable.id == IdentityTable.collection_id)
            .where(CollectionTable.name == collection, IdentityTable.identity_id == identity_id)
        ).first()
        if person is not None:
            with Session(new) as session, session.begin():
                key = select(CollectionTable.id).where(CollectionTable.name == collection).scalar_subquery()
                changed = (
                    update(IdentityTable)
                    .where(IdentityTable.collection_id == key, IdentityTable.identity_id == identity_id)
                    .values(consent=person.consent, expires_at=person.expires_at)
                    .returning(IdentityTable.id)
                )
                renewed += len(session.execute(changed, execution_options={"synchronize_session": False}).all())
    return renewed
