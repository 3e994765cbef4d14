"""People with all their faces, as one transaction sees them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.identities import log, retention, rows
from app.identities.values import Collection, Enrolled

_ENROLLED = (
    select(
        IdentityTable.id.label("identity_key"),
        IdentityTable.identity_id,
        IdentityTable.name,
        *retention.TERMS,
        FaceTable.id,
        *rows.TEMPLATE,
        FaceTable.quality,
        FaceTable.model,
    )
    .join(FaceTable, FaceTable.identity_key == IdentityTable.id)
    .join(CollectionTable, CollectionTable.id == IdentityTable.collection_id)
    .order_by(IdentityTable.id, FaceTable.id)
)
_ASK_AT_ONCE = 500
_UNKNOWN_QUALITY = 0.5


def one(connection: Connection | Session, vault: Vault, of: Collection, identity_id: str) -> Enrolled:
    """Return an identity with its faces, of which there is at least one.

    Raises IdentityUnknown, also if the identity has expired.
    """
    read = connection.execute(
        _ENROLLED.where(IdentityTable.collection_id == of.key, IdentityTable.identity_id == identity_id)
    ).all()
    if not read or retention.is_over(read[0], datetime.now(UTC)):
        raise rows.nobody(of, identity_id)
    return _enrolled(read, vault)


def owners(connection: Connection | Session, vault: Vault, keys: Iterable[int]) -> list[Enrolled]:
    """Return the identities that any of these faces belong to, each once; expired ones are left out."""
    wanted = sorted(set(keys))
    found: dict[int, Enrolled] = {}
    now = datetime.now(UTC)
    for start in range(0, len(wanted), _ASK_AT_ONCE):
        asked = select(FaceTable.identity_key).where(FaceTable.id.in_(wanted[start : start + _ASK_AT_ONCE]))
        read = connection.execute(_ENROLLED.where(IdentityTable.id.in_(asked))).all()
        for key, group in groupby(read, key=attrgetter("identity_key")):
            faces = list(group)
            if not retention.is_over(faces[0], now):
                found[key] = _enrolled(faces, vault)
    return list(found.values())


class LockedCollection:
    """A collection inside a write that holds its lock: nobody else changes it before the write commits."""

    def __init__(self, session: Session, vault: Vault, of: Collection) -> None:
        self._session = session
        self._vault = vault
        self._of = of

    def current(self) -> Collection:
        """Return the collection as it is now: with the people and faces that it has before the write."""
        row = self._session.execute(rows.COLLECTIONS.where(CollectionTable.id == self._of.key)).one()
        return rows.collection(row)

    def enrolled(self, identity_id: str) -> Enrolled:
        """See `one`."""
        return one(self._session, self._vault, self._of, identity_id)

    def changed_since(self, revision: int) -> list[Enrolled]:
        """Return the people who got a face, or another id, after a revision.

        Raises CollectionSwitched if the change log does not reach back to it.
        """
        changes = log.changes_since(self._session, self._of, revision)
        if changes is None:
            raise rows.changed(self._of)
        return owners(self._session, self._vault, changes.added.tolist())


def _enrolled(read: Sequence[Row[*tuple[Any, ...]]], vault: Vault) -> Enrolled:
    qualities = [_UNKNOWN_QUALITY if row.quality is None else row.quality for row in read]
    return Enrolled(
        read[0].identity_id,
        read[0].name,
        np.array([row.id for row in read], np.int64),
        tuple(row.face_id for row in read),
        rows.vectors(read, vault),
        np.array(qualities, np.float32),
        read[0].model,
    )
