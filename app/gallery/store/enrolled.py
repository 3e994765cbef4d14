"""Identities with all their faces, read in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
from sqlalchemy import Connection, and_, select
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import SealBroken
from app.gallery.store import change_log, retention, rows
from app.gallery.store.values import Collection, EnrolledIdentity

_ENROLLED = (
    select(
        IdentityTable.id.label("identity_key"),
        IdentityTable.identity_id,
        IdentityTable.name,
        *retention.TERMS,
        FaceTable.id,
        *rows.TEMPLATE,
        FaceTable.quality,
        FaceTable.norm,
    )
    .join(FaceTable, FaceTable.identity_key == IdentityTable.id)
    .join(
        CollectionTable,
        and_(CollectionTable.id == IdentityTable.collection_id, CollectionTable.id == FaceTable.collection_id),
    )
    .order_by(IdentityTable.id, FaceTable.id)
)
_ASK_AT_ONCE = 500
_UNKNOWN_QUALITY = 0.5


def one(
    connection: Connection | Session, vault: Vault, of: Collection, identity_id: str, *, is_last_try: bool = True
) -> EnrolledIdentity:
    """Return an identity with its faces that can be decrypted (at least one).

    Raises IdentityUnknown (also for an expired identity), SealBroken if no face can be decrypted, and DataKeyGone as
    `rows.sound` does.
    """
    read = connection.execute(
        _ENROLLED.where(IdentityTable.collection_id == of.key, IdentityTable.identity_id == identity_id)
    ).all()
    if not read or retention.is_over(read[0], datetime.now(UTC)):
        raise rows.nobody(of, identity_id)
    sound = rows.sound(read, vault, is_last_try=is_last_try)
    if not sound:
        raise SealBroken(
            f"no stored face of {identity_id!r} opens: its rows were edited, or their data key is gone; see arcid "
            "doctor, then delete the person and enroll them again"
        )
    return _enrolled(sound)


def owners(
    connection: Connection | Session, vault: Vault, keys: Iterable[int], *, is_last_try: bool = True
) -> list[EnrolledIdentity]:
    """Return the owners of these faces, each once, with all their faces that can be decrypted.

    Expired ones are left out. Raises DataKeyGone as `rows.sound` does.
    """
    wanted = sorted(set(keys))
    found: dict[int, EnrolledIdentity] = {}
    now = datetime.now(UTC)
    for start in range(0, len(wanted), _ASK_AT_ONCE):
        asked = select(FaceTable.identity_key).where(FaceTable.id.in_(wanted[start : start + _ASK_AT_ONCE]))
        read = connection.execute(_ENROLLED.where(IdentityTable.id.in_(asked))).all()
        sound = rows.sound(read, vault, is_last_try=is_last_try)
        for key, group in groupby(sound, key=lambda each: each.row.identity_key):
            faces = list(group)
            if not retention.is_over(faces[0].row, now):
                found[key] = _enrolled(faces)
    return list(found.values())


class LockedCollection:
    """A collection whose lock a write holds: it does not change before the write commits."""

    def __init__(self, session: Session, vault: Vault, of: Collection) -> None:
        self._session = session
        self._vault = vault
        self._of = of

    def current(self) -> Collection:
        """Return the collection as it is stored before this write."""
        row = self._session.execute(rows.COLLECTIONS.where(CollectionTable.id == self._of.key)).one()
        return rows.collection(row)

    def enrolled(self, identity_id: str) -> EnrolledIdentity:
        """See `one`."""
        return one(self._session, self._vault, self._of, identity_id)

    def changed_since(self, revision: int) -> list[EnrolledIdentity]:
        """Return the identities with a new face or a new id since a revision.

        Raises CollectionSwitched if the change log does not reach back to it.
        """
        changes = change_log.changes_since(self._session, self._of, revision)
        if changes is None:
            raise rows.changed(self._of)
        return owners(self._session, self._vault, changes.added.tolist())


def _enrolled(faces: Sequence[rows.OpenedRow]) -> EnrolledIdentity:
    first = faces[0].row
    qualities = [_UNKNOWN_QUALITY if each.row.quality is None else each.row.quality for each in faces]
    return EnrolledIdentity(
        first.identity_id,
        first.name,
        np.array([each.row.id for each in faces], np.int64),
        tuple(each.row.face_id for each in faces),
        np.stack([each.vector for each in faces]).astype(np.float32),
        np.array(qualities, np.float32),
        first.bound_model,  # the collection's, to which a sealed template is bound; a face's own column may be edited
        np.array([each.row.norm for each in faces], np.float32),
    )
