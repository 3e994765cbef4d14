"""Bulk writes of imported people and faces, in blocks; each block is one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.erasures import erased_since_request
from app.database.tables import CollectionTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import FaceExists
from app.gallery.store import change_log, name_search, people_events, rows
from app.gallery.store.binding import template_context
from app.gallery.store.snapshot import MovedFace, MovedPerson
from app.gallery.store.values import Collection, JsonObject
from app.types import Floats

_ASK_AT_ONCE = 500
# Without it, SQLAlchemy splits the insert at each change between rows with and without a NULL.
_WITH_NULLS = {"render_nulls": True}


@dataclass(frozen=True, slots=True)
class FaceBlock:
    """Faces (n) with their unit vectors (n, d), and their owners.

    People without a face in the block are left out. `faceless` people have no face at all and are written.
    """

    people: Sequence[MovedPerson]
    faces: Sequence[MovedFace]
    vectors: Floats
    faceless: Sequence[MovedPerson] = ()


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The new faces and people of a block; `revision` is the collection's new revision, 0 if nothing was new."""

    faces: int
    identities: int
    revision: int = 0
    erased: int = 0
    """Faces left out because their person was erased after the job was created."""


class BulkWriter:
    """Bulk writer; existing faces are left out, so a block can be repeated."""

    def __init__(self, engine: Engine, vault: Vault | None = None) -> None:
        """Without a vault, templates are not encrypted."""
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault or Vault(engine)

    def require_free(self, collection: Collection | None, face_ids: Sequence[str]) -> None:
        """Raise FaceExists if another collection of this database has one of the faces."""
        with Session(self._reading) as session:
            _there(session, collection, face_ids)

    def add(
        self, collection: Collection, block: FaceBlock, *, origin: JsonObject, is_updating: bool = False
    ) -> BulkResult:
        """Write the faces and people of a block whose ids do not exist yet.

        With `is_updating`, the names and metadata of existing people are updated. `origin` is recorded in the audit
        trail. Raises CollectionUnknown, and FaceExists if another collection of this database has one of the faces.
        """
        now = datetime.now(UTC)
        try:
            with Session(self._writing) as session, session.begin():
                revision = change_log.next_revision(session, collection)
                rows.require_made_alike(session, collection)
                there = _there(session, collection, [face.face_id for face in block.faces])
                everybody = {face.identity_id for face in block.faces} | {each.identity_id for each in block.faceless}
                erased = erased_since_request(session, collection.name, everybody)
                left_out = sum(face.identity_id in erased for face in block.faces)
                chosen = [
                    at
                    for at, face in enumerate(block.faces)
                    if face.face_id not in there and face.identity_id not in erased
                ]
                owners = {block.faces[at].identity_id for at in chosen}
                people = [each for each in block.people if each.identity_id in owners]
                people += [each for each in block.faceless if each.identity_id not in erased]
                known = _identity_keys(session, collection, [each.identity_id for each in people])
                strangers = {each.identity_id: each for each in people if each.identity_id not in known}
                if not chosen and not strangers:
                    session.rollback()
                    return BulkResult(0, 0, erased=left_out)
                _touch(session, [each for each in people if each.identity_id in known], known, now, is_updating)
                known |= _new_people(session, collection, strangers.values())
                keys = self._new_faces(session, collection, block, chosen, known)
                session.execute(
                    update(CollectionTable)
                    .where(CollectionTable.id == collection.key)
                    .values(
                        faces=CollectionTable.faces + len(keys),
                        identities=CollectionTable.identities + len(strangers),
                    )
                )
                change_log.append(session, collection, revision, keys, is_removal=False, now=now)
                people_events.append_import(session, collection, identities=len(strangers), faces=len(keys))
                detail = {**origin, "faces": len(keys), "identities": len(strangers)}
                audit.append(session, Action.COLLECTION_IMPORTED, collection=collection.name, detail=detail)
                return BulkResult(len(keys), len(strangers), revision, left_out)
        except IntegrityError as error:  # another collection wrote one of the faces at the same time
            raise _exists() from error

    def _new_faces(
        self, session: Session, collection: Collection, block: FaceBlock, chosen: Sequence[int], keys: dict[str, int]
    ) -> list[int]:
        vectors = block.vectors.astype(rows.VECTOR)
        new = []
        for at in chosen:
            face = block.faces[at]
            context = template_context(
                face.face_id, identity_id=face.identity_id, collection=collection.name, model=collection.model
            )
            sealed = self._vault.seal(session, context, vectors[at].tobytes())
            new.append(
                {
                    "face_id": face.face_id,
                    "collection_id": collection.key,
                    "identity_key": keys[face.identity_id],
                    "model": collection.model,
                    "embedding": sealed.data,
                    "data_key_id": sealed.data_key_id,
                    "norm": face.norm,
                    "quality": face.quality,
                    "detection_score": face.detection_score,
                    "box": list(face.box),
                    "landmarks": [list(point) for point in face.landmarks],
                    "image_sha256": face.image_sha256,
                    "created_at": face.created_at,
                }
            )
        if not new:
            return []
        made = insert(FaceTable).returning(FaceTable.id, sort_by_parameter_order=True)
        return list(session.scalars(made, new, execution_options=_WITH_NULLS))


def _there(session: Session, collection: Collection | None, face_ids: Sequence[str]) -> set[str]:
    """Return the ids that exist in the collection; raises FaceExists if another collection has one."""
    found: set[str] = set()
    for part in _parts(face_ids):
        query = select(FaceTable.face_id, FaceTable.collection_id).where(FaceTable.face_id.in_(part))
        for row in session.execute(query):
            if collection is None or row.collection_id != collection.key:
                raise _exists()
            found.add(row.face_id)
    return found


def _exists() -> FaceExists:
    return FaceExists(
        "another collection of this database has faces of the same ids: delete it first, or import the faces under new "
        "ids (new_face_ids=true, or --new-face-ids)"
    )


def _identity_keys(session: Session, collection: Collection, identity_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _parts(identity_ids):
        query = select(IdentityTable.identity_id, IdentityTable.id).where(
            IdentityTable.collection_id == collection.key, IdentityTable.identity_id.in_(part)
        )
        found |= {row.identity_id: row.id for row in session.execute(query)}
    return found


def _touch(
    session: Session,
    people: Iterable[MovedPerson],
    keys: dict[str, int],
    now: datetime,
    is_updating: bool,  # noqa: FBT001
) -> None:
    """Update existing people: their times and, with `is_updating`, their names and metadata."""
    changed: list[dict[str, Any]] = []
    for each in people:
        values: dict[str, Any] = {"id": keys[each.identity_id], "updated_at": now, "enrolled_at": now}
        if is_updating and each.name is not None:
            values["name"] = each.name
            values["words"] = name_search.words(each.name, each.identity_id)
        if is_updating and each.metadata is not None:
            values["metadata_"] = dict(each.metadata)
        changed.append(values)
    if changed:
        session.execute(update(IdentityTable), changed)


def _new_people(session: Session, collection: Collection, people: Iterable[MovedPerson]) -> dict[str, int]:
    new = [
        {
            "collection_id": collection.key,
            "identity_id": each.identity_id,
            "name": each.name,
            "words": name_search.words(each.name, each.identity_id),
            "metadata_": dict(each.metadata or {}),
            "created_at": each.created_at,
            "updated_at": each.updated_at,
            "consent": None if each.consent is None else dict(each.consent),
            "enrolled_at": each.enrolled_at or each.updated_at,
            "expires_at": each.expires_at,
        }
        for each in people
    ]
    if not new:
        return {}
    # In this order, which listings keep.
    made = insert(IdentityTable).returning(IdentityTable.identity_id, IdentityTable.id, sort_by_parameter_order=True)
    return {row.identity_id: row.id for row in session.execute(made, new, execution_options=_WITH_NULLS)}


def _parts(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[start : start + _ASK_AT_ONCE] for start in range(0, len(items), _ASK_AT_ONCE))
