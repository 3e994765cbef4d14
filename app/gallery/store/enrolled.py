"""Identities with all their faces, read in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
from sqlalchemy import Connection, and_, bindparam, select
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import SealBroken
from app.gallery.store import change_log, retention, rows
from app.gallery.store.values import Collection, EnrolledIdentity

_ENROLLED = (
    select(
        CollectionTable.uid,
        CollectionTable.revision,
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
# Built once: building and comparing a statement costs more than its run.
_OWNERS = _ENROLLED.where(
    IdentityTable.id.in_(select(FaceTable.identity_key).where(FaceTable.id.in_(bindparam("keys", expanding=True))))
)
_ASK_AT_ONCE = 500
_UNKNOWN_QUALITY = 0.5


@dataclass(frozen=True, slots=True)
class KeptIdentity:
    """An identity with the key of its row, and when it expires; None: never."""

    key: int
    identity: EnrolledIdentity
    ends_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Return whether the identity has expired."""
        return self.ends_at is not None and self.ends_at <= now


@dataclass(frozen=True, slots=True)
class OwnersRead:
    """Owners of faces, also expired ones, and the state of the collection in which all of them were read.

    `state` is the collection's uid and revision; None if there were several states, no rows, or a row that could not be
    decrypted.
    """

    owners: list[KeptIdentity]
    state: tuple[str, int] | None

    def people(self, now: datetime) -> list[EnrolledIdentity]:
        """Return those that have not expired."""
        return [each.identity for each in self.owners if not each.is_over(now)]


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
) -> OwnersRead:
    """Return the owners of these faces, each once, with all their faces that can be decrypted.

    Raises DataKeyGone as `rows.sound` does.
    """
    wanted = sorted(set(keys))
    found: dict[int, KeptIdentity] = {}
    states: set[tuple[str, int] | None] = set()
    for start in range(0, len(wanted), _ASK_AT_ONCE):
        read = connection.execute(_OWNERS, {"keys": wanted[start : start + _ASK_AT_ONCE]}).all()
        sound = rows.sound(read, vault, is_last_try=is_last_try)
        states |= {(row.uid, row.revision) for row in read}
        if len(sound) < len(read):
            states.add(None)
        for key, group in groupby(sound, key=lambda each: each.row.identity_key):
            faces = list(group)
            found[key] = KeptIdentity(key, _enrolled(faces), retention.ends_at(faces[0].row))
    return OwnersRead(list(found.values()), states.pop() if len(states) == 1 else None)


class LockedCollection:
    """A collection whose lock a write holds: it does not change before the write commits."""

    def __init__(self, session: Session, vault: Vault, of: Collection) -> None:
        self._session = session
        self._vault = vault
        self._of = of

    @property
    def session(self) -> Session:
        """The session of the write, for changes that are committed with it."""
        return self._session

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
        return owners(self._session, self._vault, changes.added.tolist()).people(datetime.now(UTC))


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
