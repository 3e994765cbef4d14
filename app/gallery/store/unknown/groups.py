"""Groups of unknown faces: lists, faces and images."""

from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Engine, Row, Select, exists, func, select
from sqlalchemy.orm import Session

from app.database.cipher import Context
from app.database.unknown_face_tables import UnknownCropTable, UnknownFaceTable, UnknownGroupTable
from app.database.vault import Vault
from app.errors import FaceImageUnknown, FaceUnknown, GroupUnknown, SealBroken
from app.gallery.store import rows
from app.gallery.store.crops import CropSealer
from app.gallery.store.face_quality import stored_quality
from app.gallery.store.migration_sql import detection_of
from app.gallery.store.unknown.sealing import unknown_crop_context, unknown_template_context
from app.gallery.store.unknown.values import (
    FaceOrigin,
    GroupedFace,
    GroupsPage,
    GroupState,
    UnknownFaceRecord,
    UnknownGroup,
)
from app.gallery.store.values import Collection
from app.types import Floats, Page, Pixels
from app.vision.quality import Quality

_UNKNOWN = Quality(0)


class GroupReader:
    """Groups of unknown faces, as they are committed."""

    def __init__(self, engine: Engine, vault: Vault, crops: CropSealer | None) -> None:
        """Without `crops`, no image can be decrypted, so none exists."""
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault
        self._crops = crops

    def page(self, collection: Collection, *, state: GroupState, after: int, limit: int) -> GroupsPage:
        """Return a page of the groups in a state, the largest first; `after` groups are left out."""
        is_wanted = (UnknownGroupTable.collection_id == collection.key) & (UnknownGroupTable.state == state)
        of_collection = UnknownFaceTable.collection_id == collection.key
        with Session(self._reading) as session:
            query = _groups().where(is_wanted).order_by(UnknownGroupTable.faces.desc(), UnknownGroupTable.id)
            read = session.execute(query.offset(after).limit(limit)).all()
            total = _count(session, select(func.count()).select_from(UnknownGroupTable).where(is_wanted))
            counted = select(func.count()).select_from(UnknownFaceTable).where(of_collection)
            faces = _count(session, counted)
            ungrouped = _count(session, counted.where(UnknownFaceTable.group_key.is_(None)))
        reached = after + len(read)
        return GroupsPage([_group(row) for row in read], reached if reached < total else None, total, faces, ungrouped)

    def group(self, collection: Collection, group_id: str) -> UnknownGroup:
        """Return a group; raises GroupUnknown."""
        query = _groups().where(
            UnknownGroupTable.collection_id == collection.key, UnknownGroupTable.group_id == group_id
        )
        with Session(self._reading) as session:
            row = session.execute(query).one_or_none()
        if row is None:
            raise no_group(collection, group_id)
        return _group(row)

    def faces(
        self, collection: Collection, group: UnknownGroup | None, *, after: int, limit: int
    ) -> Page[UnknownFaceRecord]:
        """Return a page of the faces of a group, or of those in no group, in order of their keys."""
        whose = UnknownFaceTable.group_key.is_(None) if group is None else UnknownFaceTable.group_key == group.key
        query = (
            select(UnknownFaceTable, UnknownGroupTable.group_id, _has_crop().label("has_image"))
            .outerjoin(UnknownGroupTable, UnknownGroupTable.id == UnknownFaceTable.group_key)
            .where(UnknownFaceTable.collection_id == collection.key, whose, UnknownFaceTable.id > after)
            .order_by(UnknownFaceTable.id)
        )
        with Session(self._reading) as session:
            records = [_face(row) for row in session.execute(query.limit(limit + 1))]
        more = len(records) > limit
        return Page(records[:limit], records[limit - 1].key if more else None)

    def image(self, collection: Collection, face_id: str) -> bytes:
        """Return an unknown face as a JPEG; raises FaceUnknown, FaceImageUnknown, and SealBroken."""
        query = (
            select(UnknownFaceTable.face_id, UnknownCropTable.sealed)
            .outerjoin(UnknownCropTable, UnknownCropTable.face_key == UnknownFaceTable.id)
            .where(UnknownFaceTable.collection_id == collection.key, UnknownFaceTable.face_id == face_id)
        )
        with Session(self._reading) as session:
            row = session.execute(query).one_or_none()
        if row is None:
            raise no_unknown_face(collection, face_id)
        if row.sealed is None or self._crops is None:
            raise FaceImageUnknown(
                f"face {face_id!r} has no image: collection {collection.name!r} kept no crops when it was seen"
            )
        return self._crops.image(row.sealed, unknown_crop_context(face_id, collection_key=collection.key))

    def best_faces(self, collection: Collection, group: UnknownGroup, most: int) -> list[GroupedFace]:
        """Return the best faces of a group, opened, the best first."""
        query = (
            select(UnknownFaceTable, UnknownCropTable.sealed)
            .outerjoin(UnknownCropTable, UnknownCropTable.face_key == UnknownFaceTable.id)
            .where(UnknownFaceTable.group_key == group.key)
            .order_by(UnknownFaceTable.quality.desc(), UnknownFaceTable.id)
        )
        with Session(self._reading) as session:
            return [self._opened(collection, *row) for row in session.execute(query.limit(most))]

    def _opened(self, collection: Collection, face: UnknownFaceTable, sealed: bytes | None) -> GroupedFace:
        left, score = (face.box, face.detection_score)
        return GroupedFace(
            face.face_id,
            self._vector(collection, face),
            face.norm,
            stored_quality(face.quality, face.quality_members) or _UNKNOWN,
            detection_of(left, score, face.landmarks),
            face.image_sha256,
            self._crop(sealed, unknown_crop_context(face.face_id, collection_key=collection.key)),
        )

    def _vector(self, collection: Collection, face: UnknownFaceTable) -> Floats | None:
        if face.model != collection.model:
            return None
        context = unknown_template_context(face.face_id, collection_key=collection.key, model=face.model)
        try:
            opened = self._vault.open(context, face.embedding, face.data_key_id)
        except SealBroken:
            return None
        return np.frombuffer(opened, rows.VECTOR).astype(np.float32)

    def _crop(self, sealed: bytes | None, context: Context) -> Pixels | None:
        if sealed is None or self._crops is None:
            return None
        try:
            return self._crops.open(sealed, context)
        except SealBroken:
            return None


def no_group(collection: Collection, group_id: str) -> GroupUnknown:
    """Return the error for an unknown group."""
    return GroupUnknown(f"collection {collection.name!r} has no group {group_id!r}; it may be named or merged")


def no_unknown_face(collection: Collection, face_id: str) -> FaceUnknown:
    """Return the error for a face that is not among the unknown faces."""
    return FaceUnknown(f"collection {collection.name!r} has no unknown face {face_id!r}")


def _groups() -> Select[*tuple[Any, ...]]:
    seen = (
        select(
            UnknownFaceTable.group_key,
            func.min(UnknownFaceTable.seen_at).label("first_seen"),
            func.max(UnknownFaceTable.seen_at).label("last_seen"),
        )
        .where(UnknownFaceTable.group_key.is_not(None))
        .group_by(UnknownFaceTable.group_key)
        .subquery()
    )
    is_shown = (UnknownFaceTable.face_id == UnknownGroupTable.face_id) & (
        UnknownCropTable.face_key == UnknownFaceTable.id
    )
    return select(
        UnknownGroupTable, seen.c.first_seen, seen.c.last_seen, exists().where(is_shown).label("has_image")
    ).join(seen, seen.c.group_key == UnknownGroupTable.id)


def _group(row: Row[*tuple[Any, ...]]) -> UnknownGroup:
    group: UnknownGroupTable = row[0]
    return UnknownGroup(
        group.id,
        group.group_id,
        GroupState(group.state),
        group.faces,
        group.face_id,
        row.has_image,
        group.revision,
        row.first_seen,
        row.last_seen,
    )


def _has_crop() -> ColumnElement[bool]:
    return exists().where(UnknownCropTable.face_key == UnknownFaceTable.id).correlate(UnknownFaceTable)


def _face(row: Row[*tuple[Any, ...]]) -> UnknownFaceRecord:
    face: UnknownFaceTable = row[0]
    return UnknownFaceRecord(
        face.id,
        face.face_id,
        row.group_id,
        stored_quality(face.quality, face.quality_members) or _UNKNOWN,
        detection_of(face.box, face.detection_score, face.landmarks).box,
        FaceOrigin(face.origin),
        face.source,
        face.seen_at,
        row.has_image,
    )


def _count(session: Session, query: Select[int]) -> int:
    return session.scalar(query) or 0
