"""Unknown faces in the database: added, read and deleted after their time. Every method is one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable
from app.database.unknown_face_tables import UnknownCropTable, UnknownFaceTable, UnknownGroupTable
from app.database.vault import Vault
from app.gallery.store import rows
from app.gallery.store.face_quality import quality_members
from app.gallery.store.migration_sql import lock_collection
from app.gallery.store.unknown.sealing import unknown_template_context
from app.gallery.store.unknown.values import NewUnknownFace
from app.gallery.store.values import Collection

_DELETED_AT_ONCE = 1000


class UnknownFaceStore:
    """Unknown faces of collections, sealed by a vault."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault

    def add(self, collection: Collection, faces: Sequence[NewUnknownFace], *, most: int) -> int:
        """Store faces and return how many are new.

        A face of a photo that is stored already is left out. So are all of them if the collection no longer remembers
        unknown faces, and those beyond `most` faces of the collection. Raises CollectionUnknown, and CollectionSwitched
        if the vectors are of another network than the collection's.
        """
        with Session(self._writing) as session, session.begin():
            lock_collection(session, collection)
            days = select(CollectionTable.remember_unknown_days).where(CollectionTable.id == collection.key)
            if session.scalar(days) is None:
                return 0
            room = max(most - _count(session, collection), 0)
            known = _known(session, collection, faces)
            new = [each for each in faces if (each.image_sha256, each.place) not in known][:room]
            for each in new:
                self._insert(session, collection, each)
            return len(new)

    def count(self, collection: Collection) -> int:
        """Return the number of unknown faces of a collection."""
        with Session(self._reading) as session:
            return _count(session, collection)

    def has_photo(self, collection: Collection, image_sha256: str) -> bool:
        """Return whether faces of this exact photo are stored."""
        query = select(UnknownFaceTable.id).where(
            UnknownFaceTable.collection_id == collection.key, UnknownFaceTable.image_sha256 == image_sha256
        )
        with Session(self._reading) as session:
            return session.scalar(query.limit(1)) is not None

    def delete_expired(self, now: datetime, most_days: int) -> int:
        """Delete the faces whose time has ended, and groups without any, and return the number of faces.

        They are kept `remember_unknown_days` of their collection, at most `most_days`. A collection that no longer
        remembers unknown faces keeps none.
        """
        with self._reading.connect() as connection:
            which = select(CollectionTable.id, CollectionTable.remember_unknown_days)
            days_of = {row.id: row.remember_unknown_days for row in connection.execute(which)}
        deleted = 0
        for collection, days in days_of.items():
            kept_from = None if days is None else now - timedelta(days=min(days, most_days))
            while count := self._delete_before(collection, kept_from):
                deleted += count
        return deleted

    def _delete_before(self, collection: int, kept_from: datetime | None) -> int:
        over = select(UnknownFaceTable.id).where(UnknownFaceTable.collection_id == collection)
        if kept_from is not None:
            over = over.where(UnknownFaceTable.seen_at <= kept_from)
        with self._reading.connect() as connection:  # most sweeps find nothing, and need no lock
            keys = connection.scalars(over.order_by(UnknownFaceTable.id).limit(_DELETED_AT_ONCE)).all()
        if keys:
            with Session(self._writing) as session, session.begin():
                forget(session, collection, keys)
        return len(keys)

    def _insert(self, session: Session, collection: Collection, face: NewUnknownFace) -> None:
        context = unknown_template_context(face.face_id, collection_key=collection.key, model=collection.model)
        sealed = self._vault.seal(session, context, face.vector.astype(rows.VECTOR).tobytes())
        row = UnknownFaceTable(
            face_id=face.face_id,
            collection_id=collection.key,
            model=collection.model,
            embedding=sealed.data,
            data_key_id=sealed.data_key_id,
            norm=face.norm,
            quality=face.quality.score,
            quality_members=quality_members(face.quality),
            detection_score=face.detection.score,
            box=list(face.detection.box),
            landmarks=face.detection.landmarks.tolist(),
            origin=face.origin,
            source=face.source,
            image_sha256=face.image_sha256,
            place=face.place,
            seen_at=face.seen_at,
        )
        session.add(row)
        session.flush()
        if face.sealed_crop is not None:
            crop = {"sealed": face.sealed_crop.data, "data_key_id": face.sealed_crop.data_key_id}
            session.execute(insert(UnknownCropTable), [{"face_key": row.id, **crop}])


def forget(session: Session, collection_key: int, face_keys: Sequence[int]) -> None:
    """Delete unknown faces with their crops, and groups that have no face left, in a transaction."""
    session.execute(select(CollectionTable.id).where(CollectionTable.id == collection_key).with_for_update())
    in_groups = select(UnknownFaceTable.group_key).where(
        UnknownFaceTable.id.in_(face_keys), UnknownFaceTable.group_key.is_not(None)
    )
    groups = session.scalars(in_groups.distinct()).all()
    session.execute(delete(UnknownFaceTable).where(UnknownFaceTable.id.in_(face_keys)))
    count_again(session, groups)


def count_again(session: Session, groups: Sequence[int | None]) -> None:
    """Update the number of faces and the representative of groups, and delete those that are empty now."""
    session.flush()
    for key in groups:
        best = (
            select(UnknownFaceTable.face_id)
            .where(UnknownFaceTable.group_key == key)
            .order_by(UnknownFaceTable.quality.desc(), UnknownFaceTable.id)
            .limit(1)
        )
        face_id = session.scalar(best)
        if face_id is None:
            session.execute(delete(UnknownGroupTable).where(UnknownGroupTable.id == key))
            continue
        count = select(func.count()).select_from(UnknownFaceTable).where(UnknownFaceTable.group_key == key)
        session.execute(
            update(UnknownGroupTable)
            .where(UnknownGroupTable.id == key)
            .values(faces=count.scalar_subquery(), face_id=face_id, revision=UnknownGroupTable.revision + 1)
        )


def _count(session: Session, collection: Collection) -> int:
    counted = select(func.count()).select_from(UnknownFaceTable)
    return session.scalar(counted.where(UnknownFaceTable.collection_id == collection.key)) or 0


def _known(session: Session, collection: Collection, faces: Sequence[NewUnknownFace]) -> set[tuple[str, int]]:
    """Return the photos and places of those faces that are stored."""
    there = select(UnknownFaceTable.image_sha256, UnknownFaceTable.place).where(
        UnknownFaceTable.collection_id == collection.key,
        tuple_(UnknownFaceTable.image_sha256, UnknownFaceTable.place).in_(
            [(each.image_sha256, each.place) for each in faces]
        ),
    )
    return {(row.image_sha256, row.place) for row in session.execute(there)}
