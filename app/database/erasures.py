"""People who were erased after a job was created: its files must not enroll them again.

An erasure writes its audit line in its own transaction. A job's write reads the trail while it holds the collection's
lock. So either the erasure comes later and deletes the new faces, or the write leaves them out.
A line about a person whose detail somebody has edited counts as an erasure.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeGuard

from sqlalchemy import Connection, Text, cast, select
from sqlalchemy.orm import Session

from app.database.audit import Action
from app.database.tables import AuditTable

_ERASED = {Action.IDENTITY_DELETED.value, Action.IDENTITY_EXPIRED.value}
_ALL_ERASED = {Action.COLLECTION_CLEARED.value, Action.COLLECTION_DELETED.value}
_ANOTHER_ID = {Action.IDENTITY_MERGED.value: "into", Action.IDENTITY_RENAMED.value: "to"}
_MAY_ERASE = (*_ERASED, *_ANOTHER_ID, Action.FACE_DELETED.value)
_NEVER_IN_IDS = re.compile("[\\0\\ud800-\\udfff]")
_ASK_AT_ONCE = 500
_asked_in: ContextVar[int | None] = ContextVar("erasures_asked_in", default=None)


@contextmanager
def asked_in(seq: int | None) -> Iterator[None]:
    """Set the audit line of the request behind all writes inside a `with` block."""
    token = _asked_in.set(seq)
    try:
        yield
    finally:
        _asked_in.reset(token)


def erased_since_request(session: Session | Connection, collection: str, identity_ids: Iterable[str]) -> set[str]:
    """Return which of these identities were erased since the request; none outside of `asked_in`."""
    since = _asked_in.get()
    return set() if since is None else erased_since(session, collection, identity_ids, since)


def erased_since(
    transaction: Session | Connection, collection: str, identity_ids: Iterable[str], since: int
) -> set[str]:
    """Return which of these identities were erased after a line of the trail, also under a later id."""
    wanted = sorted(set(identity_ids))
    text = cast(AuditTable.detail, Text).label("detail")  # because reading invalid JSON would raise an error
    lines = select(AuditTable.seq, AuditTable.action, AuditTable.subject, text).where(
        AuditTable.collection == collection, AuditTable.seq > since
    )
    if (
        wanted
        and transaction.execute(
            lines.where(AuditTable.subject.is_(None), AuditTable.action.in_(_ALL_ERASED)).limit(1)
        ).first()
    ):
        return set(wanted)
    found: set[str] = set()
    for start in range(0, len(wanted), _ASK_AT_ONCE):
        part = wanted[start : start + _ASK_AT_ONCE]
        about = lines.where(AuditTable.subject.in_(part), AuditTable.action.in_(_MAY_ERASE))
        for row in transaction.execute(about):
            detail = _read(row.detail)
            if row.action in _ERASED or detail is None:
                found.add(row.subject)
            elif row.action == Action.FACE_DELETED.value:
                found |= {row.subject} if detail.get("is_last") else set()
            else:
                other = detail.get(_ANOTHER_ID[row.action])
                if not _is_id(other) or erased_since(transaction, collection, [other], row.seq):
                    found.add(row.subject)
    return found


def _is_id(value: object) -> TypeGuard[str]:
    """Return whether a value can be compared with ids in any database."""
    return isinstance(value, str) and not _NEVER_IN_IDS.search(value)


def _read(detail: str) -> Mapping[str, Any] | None:
    """Return the detail of a line, or None if it is not an object."""
    try:
        read = json.loads(detail)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def all_erased_since(transaction: Session | Connection, collection: str, since: int) -> set[str]:
    """Return the ids of all identities that were erased, merged or renamed after a line of the trail."""
    query = select(AuditTable.subject).where(
        AuditTable.collection == collection,
        AuditTable.seq > since,
        AuditTable.action.in_(_MAY_ERASE),
        AuditTable.subject.is_not(None),
    )
    subjects = {each for each in transaction.scalars(query) if each is not None}
    return erased_since(transaction, collection, subjects, since)
