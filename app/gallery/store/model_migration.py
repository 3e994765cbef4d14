"""Model migration of a collection: new templates are stored next to the old ones, then all are swapped at once.

A separate table contains the templates of the new network, and after the switch those of the previous one. Concurrent
writes are safe. A new face lacks a template of the new network, and the switch is refused until it has one. Deleting a
face deletes all its templates. A switched collection refuses requests with the previous value (CollectionSwitched).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.tables import (
    AuditTable,
    CollectionTable,
    FaceTable,
    IdentityTable,
    NextTemplateTable,
)
from app.database.vault import Vault
from app.errors import EncryptionRequired
from app.gallery.store import change_log, rows
from app.gallery.store.binding import crop_context, template_context
from app.gallery.store.crops import CropSealer
from app.gallery.store.migration_sql import (
    NAMED,
    NAMES,
    FaceName,
    copy_templates,
    crops_without_template,
    detection_of,
    drop_rest,
    face_keys,
    has_crop,
    has_template,
    lock_collection,
    migrated_templates,
    require_another_model,
    set_model,
    swap_templates,
)
from app.gallery.store.values import Collection
from app.types import Detection, Floats, Keys, Pixels

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class MigrationProgress:
    """How far a collection is on its way to another network.

    Of its `faces`, `ready` have a template of that network; of the others, `without_crop` need a new photo.
    """

    faces: int
    ready: int
    without_crop: int


@dataclass(frozen=True, slots=True)
class CropBlock:
    """Faces in one order: keys (n,), crops (n, 112, 112, 3), RGB, and what was detected (in pixels of the photo)."""

    keys: Keys
    crops: Pixels
    detections: list[Detection]


@dataclass(frozen=True, slots=True)
class NextTemplates:
    """Templates of another network, in one order: keys (n,), unit vectors (n, d), raw norms and qualities (n,)."""

    keys: Keys
    vectors: Floats
    norms: Floats
    qualities: Floats


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """The collection as it is after the switch, and the faces that were left behind and are gone."""

    collection: Collection
    dropped: list[FaceName]


class MigrationRepository:
    """Storage of model migrations. Each method is one transaction, except `blocks`, with one transaction per block.

    All take the Collection from the start of the migration. They raise CollectionSwitched if it now has another
    network, and CollectionUnknown if it was deleted. `model` is always that other network.
    """

    def __init__(self, engine: Engine, crops: CropSealer | None, vault: Vault | None = None) -> None:
        """Take what opens the stored crops, without which only `blocks` does not work, and what seals templates."""
        self._vault = vault or Vault(engine)
        self._writing = engine
        self._switching = engine.execution_options(has_time=True)  # millions of templates take a while
        self._reading = engine.execution_options(is_reader=True)
        self._crops = crops

    def standing(self, collection: Collection, model: str) -> MigrationProgress:
        """Return how far a collection is on its way to a network."""
        counted = select(func.count()).select_from(FaceTable).where(FaceTable.collection_id == collection.key)
        with self._reading.connect() as connection:
            rows.require_unswitched(connection, collection)
            faces = connection.scalar(counted) or 0
            ready = connection.scalar(counted.where(has_template(model))) or 0
            without_crop = connection.scalar(counted.where(~has_template(model), ~has_crop())) or 0
        return MigrationProgress(faces, ready, without_crop)

    def without_crop(self, collection: Collection, model: str, *, after: int = 0, limit: int = 1000) -> list[FaceName]:
        """Return the faces that no crop can give a template of a network, by key, beginning after a key."""
        query = NAMES.where(
            FaceTable.collection_id == collection.key, FaceTable.id > after, ~has_template(model), ~has_crop()
        ).limit(limit)
        with self._reading.connect() as connection:
            rows.require_unswitched(connection, collection)
            return [FaceName(*row) for row in connection.execute(query)]

    def blocks(self, collection: Collection, model: str, *, size: int = 256) -> Iterator[CropBlock]:
        """Yield the faces that have a crop and lack a template of a network, by key, `size` at a time.

        Faces with a new template are skipped, so that an interrupted migration continues. Raises EncryptionRequired
        if crops cannot be decrypted, and the sealer's errors for a damaged one.
        """
        if self._crops is None:
            raise EncryptionRequired
        query = crops_without_template(collection, model).limit(size)
        after = 0
        while True:
            with self._reading.connect() as connection:
                rows.require_unswitched(connection, collection)
                read = connection.execute(query.where(FaceTable.id > after)).all()
            if not read:
                return
            after = read[-1].id
            contexts = (
                crop_context(row.face_id, identity_id=row.identity_id, collection=collection.name) for row in read
            )
            opened = [self._crops.open(row.sealed, context) for row, context in zip(read, contexts, strict=True)]
            yield CropBlock(
                np.array([row.id for row in read], np.int64),
                np.stack(opened),
                [detection_of(row.box, row.detection_score, row.landmarks) for row in read],
            )

    def put(self, collection: Collection, model: str, templates: NextTemplates) -> int:
        """Store templates of a network, instead of any that these faces had of it, and return how many.

        Deleted faces are skipped. Raises RequestInvalid for the collection's own network.
        """
        require_another_model(collection, model)
        with Session(self._writing) as session, session.begin():
            lock_collection(session, collection)
            keys = templates.keys.tolist()
            found = (
                select(FaceTable.id, FaceTable.face_id, IdentityTable.identity_id)
                .join(IdentityTable, IdentityTable.id == FaceTable.identity_key)
                .where(FaceTable.collection_id == collection.key, FaceTable.id.in_(keys))
            )
            there = {row.id: (row.face_id, row.identity_id) for row in session.execute(found)}
            session.execute(
                delete(NextTemplateTable).where(
                    NextTemplateTable.model == model, NextTemplateTable.face_key.in_(sorted(there))
                )
            )
            new = []
            for key, vector, norm, quality in zip(
                keys, templates.vectors, templates.norms, templates.qualities, strict=True
            ):
                if key in there:
                    blob = vector.astype(rows.VECTOR).tobytes()
                    face_id, identity_id = there[key]
                    context = template_context(
                        face_id, identity_id=identity_id, collection=collection.name, model=model
                    )
                    sealed = self._vault.seal(session, context, blob)
                    values: dict[str, Any] = {"embedding": sealed.data, "data_key_id": sealed.data_key_id}
                    values |= {"norm": float(norm), "quality": float(quality)}
                    new.append({"face_key": key, "model": model, **values})
            if new:
                session.execute(insert(NextTemplateTable), new)
            return len(new)

    def templates(self, collection: Collection, model: str) -> Iterator[tuple[Keys, Floats]]:
        """Yield the templates of another network by key: keys (n,) and unit vectors (n, d), thousands at a time."""
        query = migrated_templates(collection, model).limit(_AT_ONCE)
        after = 0
        while True:
            with self._reading.connect() as connection:
                rows.require_unswitched(connection, collection)
                read = connection.execute(query.where(FaceTable.id > after)).all()
            if not read:
                return
            after = read[-1].face_key
            sound = rows.sound(read, self._vault, is_last_try=False)
            if sound:
                keys = np.array([each.row.face_key for each in sound], np.int64)
                yield keys, np.stack([each.vector for each in sound]).astype(np.float32)

    def counts(self, collection: Collection) -> dict[str, int]:
        """Return how many faces have a template of each other network, by model."""
        query = (
            select(NextTemplateTable.model, func.count())
            .join(FaceTable, FaceTable.id == NextTemplateTable.face_key)
            .where(FaceTable.collection_id == collection.key, NextTemplateTable.model != collection.model)
            .group_by(NextTemplateTable.model)
            .order_by(NextTemplateTable.model)
        )
        with self._reading.connect() as connection:
            rows.require_unswitched(connection, collection)
            return {row[0]: row[1] for row in connection.execute(query)}

    def before(self, collection: Collection) -> str | None:
        """Return the network that the collection was switched from last, as the audit trail has it; None if never."""
        switched, created = Action.COLLECTION_SWITCHED.value, Action.COLLECTION_CREATED.value
        last = (
            select(AuditTable.detail)  # a collection of this name that was deleted before is another one
            .where(AuditTable.collection == collection.name, AuditTable.action.in_([switched, created]))
            .order_by(AuditTable.seq.desc())
            .limit(1)
        )
        with self._reading.connect() as connection:
            detail = connection.scalar(last) or {}
        before: str | None = detail.get("from") if detail.get("to") == collection.model else None
        return before

    def keep(self, collection: Collection) -> None:
        """Copy the collection's current templates block by block, so that a switch has less to write."""
        for first, last in self._ranges(collection):
            with Session(self._writing) as session, session.begin():
                lock_collection(session, collection)
                session.execute(copy_templates(collection, first, last))

    def tidy(self, collection: Collection) -> None:
        """Delete the copies of the collection's own templates, block by block: after a switch nobody needs them."""
        for first, last in self._ranges(collection):
            own = NextTemplateTable.model == collection.model, NextTemplateTable.face_key.between(first, last)
            with Session(self._writing) as session, session.begin():
                lock_collection(session, collection)
                keys = face_keys(collection).where(FaceTable.id.between(first, last))
                session.execute(delete(NextTemplateTable).where(*own, NextTemplateTable.face_key.in_(keys)))

    def switch(
        self,
        collection: Collection,
        *,
        model: str,
        dimension: int,
        is_rest_dropped: bool = False,
        uid: str | None = None,
        detector: str | None = None,
    ) -> SwitchResult:
        """Make a network with vectors of `dimension` the collection's own, in one moment; ids stay as they are.

        The previous templates are kept, so that the same call with their model rolls back. Raises TemplatesMissing,
        which names the faces, while any lacks a template of the network; with `is_rest_dropped` those that have no crop
        either are deleted instead. Raises RequestInvalid for the collection's own network. Writers of the collection
        wait. `uid` becomes the collection's uid (a new one by default), and `detector`, if given, its detector.
        """
        require_another_model(collection, model)
        with Session(self._switching) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            rows.require_unswitched(session, collection)
            dropped = drop_rest(session, collection, model, revision, is_rest_dropped=is_rest_dropped)
            swap_templates(session, collection, model)
            set_model(session, collection, model=model, dimension=dimension, uid=uid, detector=detector)
            detail = {
                "from": collection.model,
                "to": model,
                "dropped": len(dropped),
                "dropped_faces": [each.face_id for each in dropped[:NAMED]],
            }
            audit.append(session, Action.COLLECTION_SWITCHED, collection=collection.name, detail=detail)
            row = session.execute(rows.COLLECTIONS.where(CollectionTable.id == collection.key)).one()
            return SwitchResult(rows.collection(row), dropped)

    def discard(self, collection: Collection, model: str) -> int:
        """Delete the templates of another network, after which nothing leads there (or back); return how many."""
        with Session(self._switching) as session, session.begin():
            lock_collection(session, collection)
            gone = session.execute(
                delete(NextTemplateTable)
                .where(NextTemplateTable.model == model, NextTemplateTable.face_key.in_(face_keys(collection)))
                .returning(NextTemplateTable.face_key)
            )
            count = len(gone.all())
            if count:
                audit.append(
                    session,
                    Action.COLLECTION_TEMPLATES_DISCARDED,
                    collection=collection.name,
                    detail={"model": model, "faces": count},
                )
            return count

    def _ranges(self, collection: Collection) -> Iterator[tuple[int, int]]:
        """Yield the first and last key of blocks of faces."""
        query = face_keys(collection).order_by(FaceTable.id).limit(_AT_ONCE)
        after = 0
        while True:
            with self._reading.connect() as connection:
                keys = connection.scalars(query.where(FaceTable.id > after)).all()
            if not keys:
                return
            yield keys[0], keys[-1]
            after = keys[-1]
