"""Model migration in the database: new templates are stored next to the old ones, then all are swapped at once.

A separate table holds the templates of the new network, and after the switch those of the previous one. Concurrent
writes are safe. The switch is refused while a new face lacks a template of the new network. A deleted face is deleted
with all its templates. After the switch, callers with the previous `Collection` value get CollectionSwitched.
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
from app.gallery.store.values import Collection, Templates
from app.types import Detection, FaceKey, Floats, Keys, Pixels

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class MigrationProgress:
    """Progress of a migration.

    Of its `faces`, `ready` have a template of that network; of the others, `without_crop` need a new photo.
    """

    faces: int
    ready: int
    without_crop: int


@dataclass(frozen=True, slots=True)
class CropBlock:
    """Faces in one order: keys (n,), crops (n, 112, 112, 3), RGB, and detections (in pixels of the photo)."""

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
    """The collection after the switch, and the deleted faces without a template."""

    collection: Collection
    dropped: list[FaceName]


class MigrationRepository:
    """Storage of model migrations. Every method is one transaction; `blocks` uses one per block.

    All methods take the Collection read at the start. They raise CollectionSwitched if it has moved to another network,
    and CollectionUnknown if it was deleted. `model` is always the target network.
    """

    def __init__(self, engine: Engine, crops: CropSealer | None, vault: Vault | None = None) -> None:
        """`crops` decrypts stored crops (needed only by `blocks`); `vault` seals templates."""
        self._vault = vault or Vault(engine)
        self._writing = engine
        self._switching = engine.execution_options(has_time=True)  # millions of templates take long
        self._reading = engine.execution_options(is_reader=True)
        self._crops = crops

    def standing(self, collection: Collection, model: str) -> MigrationProgress:
        """Return the progress of a collection's migration to a network."""
        counted = select(func.count()).select_from(FaceTable).where(FaceTable.collection_id == collection.key)
        with self._reading.connect() as connection:
            rows.require_unswitched(connection, collection)
            faces = connection.scalar(counted) or 0
            ready = connection.scalar(counted.where(has_template(model))) or 0
            without_crop = connection.scalar(counted.where(~has_template(model), ~has_crop())) or 0
        return MigrationProgress(faces, ready, without_crop)

    def without_crop(self, collection: Collection, model: str, *, after: int = 0, limit: int = 1000) -> list[FaceName]:
        """Return the faces with neither a crop nor a template of a network, by key, from `after` on."""
        query = NAMES.where(
            FaceTable.collection_id == collection.key, FaceTable.id > after, ~has_template(model), ~has_crop()
        ).limit(limit)
        with self._reading.connect() as connection:
            rows.require_unswitched(connection, collection)
            return [FaceName(FaceKey(key), *names) for key, *names in connection.execute(query)]

    def blocks(self, collection: Collection, model: str, *, size: int = 256) -> Iterator[CropBlock]:
        """Yield the faces with a crop and without a template of a network, by key, `size` at a time.

        Faces with a template are skipped, so interrupted work resumes. Raises EncryptionRequired without `crops`, and
        as the sealer does for a damaged crop.
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
        """Store templates of a network, replacing earlier ones, and return their number.

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

    def templates(self, collection: Collection, model: str) -> Iterator[Templates]:
        """Yield the templates of another network in order of their keys, thousands at a time."""
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
                keys, owners = np.array([(each.row.face_key, each.row.identity_key) for each in sound], np.int64).T
                yield Templates(keys, np.stack([each.vector for each in sound]).astype(np.float32), owners)

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
        """Return the previous network of the collection from the audit trail; None if it was never switched.

        Raises CollectionSwitched if the collection no longer has the network of the value.
        """
        switched, created = Action.COLLECTION_SWITCHED.value, Action.COLLECTION_CREATED.value
        last = (
            select(AuditTable.detail)  # an earlier, deleted collection of this name does not count
            .where(AuditTable.collection == collection.name, AuditTable.action.in_([switched, created]))
            .order_by(AuditTable.seq.desc())
            .limit(1)
        )
        with self._reading.connect() as connection:
            rows.require_unswitched(connection, collection)
            detail = connection.scalar(last) or {}
        before: str | None = detail.get("from") if detail.get("to") == collection.model else None
        return before

    def keep(self, collection: Collection) -> None:
        """Copy the collection's current templates, block by block, so that the switch writes less."""
        for first, last in self._ranges(collection):
            with Session(self._writing) as session, session.begin():
                lock_collection(session, collection)
                session.execute(copy_templates(collection, first, last))

    def tidy(self, collection: Collection) -> None:
        """Delete the copies of the collection's current templates, block by block, after a switch."""
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
        """Switch a collection to a network with vectors of `dimension` in one transaction; ids do not change.

        The previous templates are kept, so the same call with their model switches back. Raises TemplatesMissing, which
        names the faces, if any lacks a template of the network; with `is_rest_dropped`, those without a crop are
        deleted instead. Raises RequestInvalid for the collection's own network. Writers of the collection wait. `uid`
        (by default a new one) and `detector`, if given, are set on the collection.
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
        """Delete the templates of another network and return their number; a switch to it is then impossible."""
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
