"""The change log: the faces that each revision of a collection added, removed or moved."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.database.tables import ChangeTable, CollectionTable, FaceTable, IdentityTable
from app.errors import CollectionUnknown
from app.gallery.store.values import ChangeBatch, Collection


def next_revision(session: Session, collection: Collection) -> int:
    """Start a write: lock the collection's row, which orders its writers, and return the new revision.

    Raises CollectionUnknown if it was deleted. Writers of templates call `rows.require_unswitched` next.
    """
    revision: int | None = session.scalar(
        update(CollectionTable)
        .where(CollectionTable.id == collection.key)
        .values(revision=CollectionTable.revision + 1)
        .returning(CollectionTable.revision)
    )
    if revision is None:
        raise CollectionUnknown(collection.name)
    return revision


def append(
    session: Session,
    collection: Collection,
    revision: int,
    keys: Sequence[int],
    *,
    is_removal: bool,
    now: datetime,
) -> None:
    """Log the changes of a write in its transaction."""
    if keys:
        session.execute(
            insert(ChangeTable),
            [
                {
                    "collection_id": collection.key,
                    "revision": revision,
                    "face_key": key,
                    "is_removal": is_removal,
                    "created_at": now,
                }
                for key in keys
            ],
        )


def append_faces_of(
    session: Session, collection: Collection, revision: int, identity: IdentityTable, *, now: datetime
) -> None:
    """Log all faces of an identity as added, after it changed its owner or expiry.

    Indexes add them again, with their present owner. A write that screened its faces at an earlier revision reads the
    changed identities from the log (`app.gallery.store.enrolled`).
    """
    keys = session.scalars(select(FaceTable.id).where(FaceTable.identity_key == identity.id).order_by(FaceTable.id))
    append(session, collection, revision, keys.all(), is_removal=False, now=now)


def changes_since(connection: Connection | Session, collection: Collection, revision: int) -> ChangeBatch | None:
    """Return what changed after a revision; None if the log does not reach back to it, or it is yet to come."""
    # Read the revision first: later commits belong to a later revision, for the next call.
    current = connection.execute(
        select(CollectionTable.revision, CollectionTable.log_from).where(
            CollectionTable.id == collection.key,
            CollectionTable.uid == collection.uid,  # the log of another network's templates does not apply
        )
    ).one_or_none()
    if current is None or not current.log_from <= revision <= current.revision:
        return None
    changes = connection.execute(
        select(ChangeTable.face_key, ChangeTable.is_removal)
        .where(
            ChangeTable.collection_id == collection.key,
            ChangeTable.revision > revision,
            ChangeTable.revision <= current.revision,
        )
        .order_by(ChangeTable.revision, ChangeTable.id)
    )
    last = {row.face_key: row.is_removal for row in changes}
    added, removed = ([key for key, gone in last.items() if gone is wanted] for wanted in (False, True))
    return ChangeBatch(current.revision, np.array(added, np.int64), np.array(removed, np.int64))


class ChangeLog:
    """The change logs of all collections: reading and trimming."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def revisions(self) -> dict[int, int]:
        """Return every collection's revision, by its key."""
        with self._reading.connect() as connection:
            rows = connection.execute(select(CollectionTable.id, CollectionTable.revision))
            return {row.id: row.revision for row in rows}

    def since(self, collection: Collection, revision: int) -> ChangeBatch | None:
        """See `changes_since`."""
        with self._reading.connect() as connection:
            return changes_since(connection, collection, revision)

    def trim(self, before: datetime) -> int:
        """Delete changes older than a time and return their number; indexes that still need them are rebuilt."""
        with Session(self._writing) as session, session.begin():
            old = (
                select(ChangeTable.collection_id, func.max(ChangeTable.revision).label("revision"))
                .where(ChangeTable.created_at < before)
                .group_by(ChangeTable.collection_id)
                .order_by(ChangeTable.collection_id)  # the same lock order in every process
            )
            forgotten = 0
            for row in session.execute(old).all():
                session.execute(
                    update(CollectionTable)
                    .where(CollectionTable.id == row.collection_id)
                    # Never lower it: another replica may have trimmed more.
                    .where(CollectionTable.log_from < row.revision)
                    .values(log_from=row.revision)
                )
                gone = delete(ChangeTable).where(
                    ChangeTable.collection_id == row.collection_id, ChangeTable.revision <= row.revision
                )
                forgotten += len(session.execute(gone.returning(ChangeTable.id)).all())
            return forgotten
