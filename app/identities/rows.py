"""What the stores of collections, identities and faces share: how rows are read, made and turned into values."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Row, delete, or_, select
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, EnrolmentTable, FaceTable, IdentityTable
from app.errors import CollectionUnknown, FaceUnknown, IdentityUnknown
from app.faces import Floats
from app.identities.values import Collection, Person, Practice

VECTOR = np.dtype("<f4")
COLLECTIONS = select(
    CollectionTable.id,
    CollectionTable.uid,
    CollectionTable.name,
    CollectionTable.model,
    CollectionTable.dimension,
    CollectionTable.revision,
    CollectionTable.faces,
    CollectionTable.identities,
    CollectionTable.is_flip_averaged,
    CollectionTable.enrol_quality,
    CollectionTable.probe_quality,
    CollectionTable.index_kind,
)


def collection(row: Row[*tuple[Any, ...]]) -> Collection:
    """Take over a row of COLLECTIONS."""
    return Collection(
        row.id,
        row.uid,
        row.name,
        row.model,
        row.dimension,
        row.revision,
        row.faces,
        row.identities,
        Practice(row.is_flip_averaged, row.enrol_quality, row.probe_quality),
        row.index_kind,
    )


def unknown(name: str) -> CollectionUnknown:
    """Say that there is no collection of this name."""
    return CollectionUnknown(f"there is no collection {name!r}")


def nobody(of: Collection, identity_id: str) -> IdentityUnknown:
    """Say that nobody has this id."""
    return IdentityUnknown(f"nobody is enrolled as {identity_id!r} in collection {of.name!r}")


def no_face(of: Collection, face_id: str) -> FaceUnknown:
    """Say that no face has this id."""
    return FaceUnknown(f"there is no face {face_id!r} in collection {of.name!r}")


def vectors(blobs: Iterable[bytes]) -> Floats:
    """Return stored embeddings as an array (n, d)."""
    return np.stack([np.frombuffer(blob, VECTOR) for blob in blobs]).astype(np.float32)


def identity(session: Session, of: Collection, identity_id: str) -> IdentityTable | None:
    """Return an identity's row."""
    return session.scalar(
        select(IdentityTable).where(IdentityTable.collection_id == of.key, IdentityTable.identity_id == identity_id)
    )


def face(session: Session, of: Collection, face_id: str) -> FaceTable | None:
    """Return a face's row."""
    return session.scalar(select(FaceTable).where(FaceTable.collection_id == of.key, FaceTable.face_id == face_id))


def has_faces(session: Session, of: IdentityTable) -> bool:
    """Say whether any face is left of an identity."""
    return session.scalar(select(FaceTable.id).where(FaceTable.identity_key == of.id).limit(1)) is not None


def identity_row(session: Session, of: Collection, person: Person, now: datetime) -> tuple[IdentityTable, bool]:
    """Return the identity's row, up to date, and whether it is new."""
    row = identity(session, of, person.identity_id)
    is_new = row is None
    if row is None:
        row = IdentityTable(
            collection_id=of.key, identity_id=person.identity_id, metadata_={}, created_at=now, updated_at=now
        )
        session.add(row)
    row.updated_at = now
    if person.name is not None:
        row.name = person.name
    if person.metadata is not None:
        row.metadata_ = dict(person.metadata)
    session.flush()
    return row, is_new


def forget_answers(session: Session, of: Collection, identity_id: str) -> None:
    """Delete the answers about an identity; those of before it was noted whom they are about go as well."""
    session.execute(
        delete(EnrolmentTable).where(
            EnrolmentTable.collection_id == of.key,
            or_(EnrolmentTable.identity_id == identity_id, EnrolmentTable.identity_id.is_(None)),
        )
    )
