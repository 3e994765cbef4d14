"""SQL statements of model migrations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import ColumnElement, Insert, Select, delete, exists, insert, literal, select, update
from sqlalchemy.orm import Session

from app.database.tables import (
    CollectionTable,
    CropTable,
    FaceTable,
    IdentityTable,
    NextTemplateTable,
    SharedIndexTable,
)
from app.errors import RequestInvalid, TemplatesMissing
from app.gallery.store import change_log, rows
from app.gallery.store.values import Collection
from app.observability.counted import counted
from app.types import Box, Detection, FaceKey

NAMED = 1000  # faces in an error and in the trail
_SHOWN = 3  # in the message
_LEFT_OUT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FaceName:
    """A face and its owner, by their public ids; `key` is the face's position in listings."""

    key: FaceKey
    face_id: str
    identity_id: str


NAMES = (
    select(FaceTable.id, FaceTable.face_id, IdentityTable.identity_id)
    .join(IdentityTable, FaceTable.identity_key == IdentityTable.id)
    .order_by(FaceTable.id)
)


def templates_missing(
    collection: Collection, model: str, faces: Sequence[FaceName], count: int | None = None
) -> TemplatesMissing:
    """Return the error that names the faces (all, or the first of `count`) that prevent a switch."""
    named = ", ".join(f"{each.face_id} of {each.identity_id!r}" for each in faces[:_SHOWN])
    count = len(faces) if count is None else count
    return TemplatesMissing(
        f"collection {collection.name!r}: {counted(count, 'face has', 'faces have')} no template of {model} ({named}"
        f"{', ...' if count > _SHOWN else ''}): embed those that have a crop (reembed), enroll the others again, or "
        "have them deleted",
        [(each.face_id, each.identity_id) for each in faces[:NAMED]],
    )


def swap_templates(session: Session, collection: Collection, model: str) -> None:
    """Replace the templates of the faces, after copying the current ones; see `keep` and `tidy`."""
    session.execute(copy_templates(collection))
    session.execute(
        update(FaceTable)
        .where(
            FaceTable.collection_id == collection.key,
            NextTemplateTable.face_key == FaceTable.id,
            NextTemplateTable.model == model,
        )
        .values(
            embedding=NextTemplateTable.embedding,
            data_key_id=NextTemplateTable.data_key_id,
            norm=NextTemplateTable.norm,
            quality=NextTemplateTable.quality,
            model=model,
        )
        .execution_options(synchronize_session=False)
    )


def copy_templates(collection: Collection, first: int = 1, last: int | None = None) -> Insert:
    """Return the statement that copies the templates without a copy, by key. A template changes only in a switch."""
    template = (FaceTable.embedding, FaceTable.data_key_id, FaceTable.norm, FaceTable.quality)
    kept = select(FaceTable.id, literal(collection.model), *template).where(
        FaceTable.collection_id == collection.key, FaceTable.id >= first, ~has_template(collection.model)
    )
    if last is not None:
        kept = kept.where(FaceTable.id <= last)
    return insert(NextTemplateTable).from_select(
        ["face_key", "model", "embedding", "data_key_id", "norm", "quality"], kept
    )


def lock_collection(session: Session, collection: Collection) -> None:
    """Lock a collection for a write that does not change its revision."""
    row = session.scalar(select(CollectionTable.id).where(CollectionTable.id == collection.key).with_for_update())
    if row is None:
        raise rows.unknown(collection.name)
    rows.require_unswitched(session, collection)


def face_keys(collection: Collection) -> Select[int]:
    """Return the query of the keys of all faces of a collection."""
    return select(FaceTable.id).where(FaceTable.collection_id == collection.key)


def has_template(model: str) -> ColumnElement[bool]:
    """Return the condition that a face has a template of a model."""
    template = exists().where(NextTemplateTable.face_key == FaceTable.id, NextTemplateTable.model == model)
    return template.correlate(FaceTable)


def has_crop() -> ColumnElement[bool]:
    """Return the condition that a face has a stored crop."""
    return exists().where(CropTable.face_key == FaceTable.id).correlate(FaceTable)


def require_another_model(collection: Collection, model: str) -> None:
    """Raise RequestInvalid if the collection already uses the model."""
    if model == collection.model:
        detail = f"collection {collection.name!r} uses {model} already"
        raise RequestInvalid.at("model", detail)


def detection_of(box: Sequence[float], score: float, landmarks: Sequence[Sequence[float]]) -> Detection:
    """Return the detection that the columns of a face describe."""
    left, top, right, bottom = box
    own: Box = (left, top, right, bottom)
    return Detection(own, score, np.array(landmarks, np.float32))


def drop_rest(
    session: Session, collection: Collection, model: str, revision: int, *, is_rest_dropped: bool
) -> list[FaceName]:
    """Delete the faces without a template of a network, and identities without a remaining face."""
    query = NAMES.where(FaceTable.collection_id == collection.key, ~has_template(model))
    with_crop = {row.id for row in session.execute(query.where(has_crop()))} if is_rest_dropped else set()
    rest = [FaceName(FaceKey(key), *names) for key, *names in session.execute(query)]
    missing = [each for each in rest if each.key in with_crop] if is_rest_dropped else rest
    if missing:
        raise templates_missing(collection, model, missing)
    if not rest:
        return []
    keys = [each.key for each in rest]
    for first in range(0, len(keys), _LEFT_OUT_AT_ONCE):
        session.execute(delete(FaceTable).where(FaceTable.id.in_(keys[first : first + _LEFT_OUT_AT_ONCE])))
    for identity_id in sorted({each.identity_id for each in rest}):
        rows.forget_answers(session, collection, identity_id)
    empty = delete(IdentityTable).where(
        IdentityTable.collection_id == collection.key,
        ~exists().where(FaceTable.identity_key == IdentityTable.id).correlate(IdentityTable),
    )
    people = len(session.execute(empty.returning(IdentityTable.id)).all())
    session.execute(
        update(CollectionTable)
        .where(CollectionTable.id == collection.key)
        .values(faces=CollectionTable.faces - len(keys), identities=CollectionTable.identities - people)
    )
    change_log.append(session, collection, revision, keys, is_removal=True, now=datetime.now(UTC))
    return rest


def crops_without_template(collection: Collection, model: str) -> Select[*tuple[Any, ...]]:
    """Return the query of the faces, by key, that have a crop and lack a template of a model."""
    return (
        select(
            FaceTable.id,
            FaceTable.face_id,
            IdentityTable.identity_id,
            FaceTable.box,
            FaceTable.detection_score,
            FaceTable.landmarks,
            CropTable.sealed,
        )
        .join(CropTable, CropTable.face_key == FaceTable.id)
        .join(IdentityTable, IdentityTable.id == FaceTable.identity_key)
        .where(FaceTable.collection_id == collection.key, ~has_template(model))
        .order_by(FaceTable.id)
    )


def migrated_templates(collection: Collection, model: str) -> Select[*tuple[Any, ...]]:
    """Return the query of the sealed templates of another model, by face key."""
    return (
        select(
            NextTemplateTable.face_key,
            FaceTable.identity_key,
            FaceTable.face_id,
            *rows.OWNER,
            NextTemplateTable.model.label("bound_model"),
            NextTemplateTable.embedding,
            NextTemplateTable.data_key_id,
        )
        .select_from(NextTemplateTable)
        .join(FaceTable, FaceTable.id == NextTemplateTable.face_key)
        .join(IdentityTable, IdentityTable.id == FaceTable.identity_key)
        .join(CollectionTable, CollectionTable.id == FaceTable.collection_id)
        .where(FaceTable.collection_id == collection.key, NextTemplateTable.model == model)
        .order_by(FaceTable.id)
    )


def set_model(
    session: Session, collection: Collection, *, model: str, dimension: int, uid: str | None, detector: str | None
) -> None:
    """Give a collection another model and a new uid, so that no snapshot or index of the previous model is used."""
    session.execute(
        update(CollectionTable)
        .where(CollectionTable.id == collection.key)
        .values(
            uid=uid or str(uuid4()),
            model=model,
            dimension=dimension,
            **({} if detector is None else {"detector": detector}),
        )
    )
    session.execute(delete(SharedIndexTable).where(SharedIndexTable.collection_id == collection.key))
