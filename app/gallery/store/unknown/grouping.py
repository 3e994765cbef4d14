"""Unknown faces as grouping reads and writes them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Engine, Row, Select, func, select, update
from sqlalchemy.orm import Session

from app.database.table_types import Base
from app.database.tables import CollectionTable
from app.database.unknown_face_tables import (
    UnknownCropTable,
    UnknownFaceTable,
    UnknownGroupTable,
    UnknownSeparationTable,
)
from app.database.vault import Vault
from app.errors import SealBroken
from app.gallery.store import rows
from app.gallery.store.crops import CropSealer
from app.gallery.store.migration_sql import detection_of, lock_collection
from app.gallery.store.unknown.faces import count_again, forget
from app.gallery.store.unknown.group_edits import new_group
from app.gallery.store.unknown.sealing import unknown_crop_context, unknown_template_context
from app.gallery.store.unknown.values import GroupState
from app.gallery.store.values import Collection
from app.types import Detection, Floats, Keys, Pixels

_READ_AT_ONCE = 5_000
_ASK_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class UngroupedFaces:
    """Unknown faces of a collection, by key.

    Attributes:
        keys: Keys (n,).
        groups: Key of the group of each face (n,); 0 for faces in no group.
        vectors: Unit vectors (n, d).
        norms: Raw feature norms (n,).
        qualities: Qualities (n,), 0..1.
        photos: Number of the photo of each face (n,).
        apart: Pairs of groups of different people.
        last_group: Highest key of a group.
    """

    keys: Keys
    groups: Keys
    vectors: Floats
    norms: Floats
    qualities: Floats
    photos: Keys
    apart: tuple[tuple[int, int], ...]
    last_group: int


@dataclass(frozen=True, slots=True)
class StaleFace:
    """An unknown face of another network than its collection's; `crop` (112, 112, 3), RGB, is None without one."""

    key: int
    face_id: str
    detection: Detection
    crop: Pixels | None


class GroupingStore:
    """Reads faces to group, and writes their groups; templates that cannot be opened are left out."""

    def __init__(self, engine: Engine, vault: Vault, crops: CropSealer | None) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault
        self._crops = crops

    def waiting(self) -> list[tuple[Collection, int]]:
        """Return the collections with faces in no group, each with the key of the newest of these."""
        loose = (
            select(UnknownFaceTable.collection_id, func.max(UnknownFaceTable.id).label("newest"))
            .where(UnknownFaceTable.group_key.is_(None))
            .group_by(UnknownFaceTable.collection_id)
        )
        with self._reading.connect() as connection:
            newest = {row.collection_id: row.newest for row in connection.execute(loose)}
            query = rows.COLLECTIONS.where(CollectionTable.id.in_(newest)).order_by(CollectionTable.id)
            return [(each, newest[each.key]) for each in map(rows.collection, connection.execute(query))]

    def read(self, collection: Collection) -> UngroupedFaces:
        """Return the faces of a collection's network, and what is known of their groups."""
        found: list[Row[*tuple[Any, ...]]] = []
        vectors: list[Floats] = []
        last = 0
        with self._reading.connect() as connection:
            while read := connection.execute(_faces(collection, after=last)).all():
                last = read[-1].id
                for row in read:
                    if (vector := self._opened(collection, row)) is not None:
                        found.append(row)
                        vectors.append(vector)
            pairs = select(UnknownSeparationTable.first_key, UnknownSeparationTable.second_key)
            apart = connection.execute(pairs.where(UnknownSeparationTable.collection_id == collection.key)).all()
            last_group = connection.scalar(select(func.max(UnknownGroupTable.id))) or 0
        return UngroupedFaces(
            np.array([row.id for row in found], np.int64),
            np.array([row.group_key or 0 for row in found], np.int64),
            np.array(vectors, np.float32).reshape(len(vectors), collection.dimension),
            np.array([row.norm for row in found], np.float32),
            np.array([row.quality for row in found], np.float32),
            _numbered([row.image_sha256 for row in found]),
            tuple((row.first_key, row.second_key) for row in apart),
            last_group,
        )

    def write(self, collection: Collection, faces: UngroupedFaces, groups: Keys) -> tuple[int, int]:
        """Put faces that were in no group into `groups` (n,); return the numbers of grouped faces and of new groups.

        A group that is gone, and a face that somebody has grouped or deleted since, are left out. A hidden group that
        grows is open again. Raises CollectionUnknown and CollectionSwitched.
        """
        grown: dict[int, list[int]] = {}
        for key, before, group in zip(faces.keys.tolist(), faces.groups.tolist(), groups.tolist(), strict=True):
            if group and not before:
                grown.setdefault(group, []).append(key)
        grouped = new = 0
        with Session(self._writing) as session, session.begin():
            lock_collection(session, collection)
            for group, keys in grown.items():
                is_new = group > faces.last_group
                loose = _loose(session, keys)
                if len(loose) < (2 if is_new else 1):
                    continue
                key = new_group(session, collection).id if is_new else _still(session, group)
                if key is None:
                    continue
                _put_in(session, loose, key)
                grouped, new = grouped + len(loose), new + is_new
        return grouped, new

    def stale(self, collection: Collection, most: int) -> list[StaleFace]:
        """Return some faces of other networks than the collection's."""
        query = (
            select(UnknownFaceTable, UnknownCropTable.sealed)
            .outerjoin(UnknownCropTable, UnknownCropTable.face_key == UnknownFaceTable.id)
            .where(UnknownFaceTable.collection_id == collection.key, UnknownFaceTable.model != collection.model)
            .order_by(UnknownFaceTable.id)
        )
        with Session(self._reading) as session:
            return [self._stale(collection, *row) for row in session.execute(query.limit(most))]

    def put(self, collection: Collection, faces: Sequence[StaleFace], vectors: Floats, norms: Floats) -> None:
        """Replace templates by those (n, d) of the collection's network; raises CollectionSwitched."""
        with Session(self._writing) as session, session.begin():
            lock_collection(session, collection)
            for face, vector, norm in zip(faces, vectors, norms, strict=True):
                context = unknown_template_context(face.face_id, collection_key=collection.key, model=collection.model)
                sealed = self._vault.seal(session, context, vector.astype(rows.VECTOR).tobytes())
                session.execute(
                    update(UnknownFaceTable)
                    .where(UnknownFaceTable.id == face.key)
                    .values(
                        model=collection.model,
                        embedding=sealed.data,
                        data_key_id=sealed.data_key_id,
                        norm=float(norm),
                    )
                )

    def forget(self, collection: Collection, faces: Sequence[StaleFace]) -> None:
        """Delete faces, and groups without any."""
        with Session(self._writing) as session, session.begin():
            forget(session, collection.key, [each.key for each in faces])

    def _opened(self, collection: Collection, row: Row[*tuple[Any, ...]]) -> Floats | None:
        context = unknown_template_context(row.face_id, collection_key=collection.key, model=collection.model)
        try:
            return np.frombuffer(self._vault.open(context, row.embedding, row.data_key_id), rows.VECTOR)
        except SealBroken:
            return None

    def _stale(self, collection: Collection, face: UnknownFaceTable, sealed: bytes | None) -> StaleFace:
        crop = None
        if sealed is not None and self._crops is not None:
            with suppress(SealBroken):
                crop = self._crops.open(sealed, unknown_crop_context(face.face_id, collection_key=collection.key))
        return StaleFace(face.id, face.face_id, detection_of(face.box, face.detection_score, face.landmarks), crop)


def _faces(collection: Collection, *, after: int) -> Select[*tuple[Any, ...]]:
    """Return the query of the next faces of a collection's network."""
    table = Base.metadata.tables[UnknownFaceTable.__tablename__].c
    columns = ("id", "face_id", "group_key", "embedding", "data_key_id", "norm", "quality", "image_sha256")
    is_wanted = (table.collection_id == collection.key) & (table.model == collection.model) & (table.id > after)
    return select(*(table[name] for name in columns)).where(is_wanted).order_by(table.id).limit(_READ_AT_ONCE)


def _loose(session: Session, keys: Sequence[int]) -> list[int]:
    """Return those of the faces that still are in no group."""
    found: list[int] = []
    for start in range(0, len(keys), _ASK_AT_ONCE):
        query = select(UnknownFaceTable.id).where(UnknownFaceTable.id.in_(keys[start : start + _ASK_AT_ONCE]))
        found += session.scalars(query.where(UnknownFaceTable.group_key.is_(None)))
    return found


def _put_in(session: Session, keys: Sequence[int], group: int) -> None:
    for start in range(0, len(keys), _ASK_AT_ONCE):
        some = UnknownFaceTable.id.in_(keys[start : start + _ASK_AT_ONCE])
        moved = update(UnknownFaceTable).where(some).values(group_key=group)
        session.execute(moved, execution_options={"synchronize_session": False})
    count_again(session, [group])


def _still(session: Session, key: int) -> int | None:
    """Return the key of a group that is still there, and open it if it was hidden."""
    group = session.get(UnknownGroupTable, key)
    if group is None:
        return None
    if group.state == GroupState.HIDDEN:
        group.state = GroupState.OPEN
    return group.id


def _numbered(found: Sequence[str]) -> Keys:
    """Return the number (n,) of each text, the same for equal ones."""
    number = {text: place for place, text in enumerate(dict.fromkeys(found))}
    return np.array([number[each] for each in found], np.int64)
