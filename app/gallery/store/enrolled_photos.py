"""The photos of enrolled faces, by their SHA-256."""

from collections.abc import Collection as AnyOf
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.tables import FaceTable, IdentityTable
from app.gallery.store.values import Collection, NewFace


def known(session: Session, of: Collection, identity_id: str, among: AnyOf[str] | None = None) -> set[str]:
    """Return the enrolled photos of a person, or only those `among` some."""
    query = (
        select(FaceTable.image_sha256)
        .join(IdentityTable, FaceTable.identity_key == IdentityTable.id)
        .where(IdentityTable.collection_id == of.key, IdentityTable.identity_id == identity_id)
    )
    return set(session.scalars(query if among is None else query.where(FaceTable.image_sha256.in_(among))))


def without_known(session: Session, of: Collection, identity_id: str, faces: Sequence[NewFace]) -> list[NewFace]:
    """Return the faces of new photos of a person, one per photo. The caller holds the collection's lock."""
    first = {face.image_sha256: face for face in reversed(faces)}
    there = known(session, of, identity_id, first.keys())
    return [face for face in faces if face is first[face.image_sha256] and face.image_sha256 not in there]
