"""Pages of enrolled collections, identities and faces, in the order of creation unless another is wanted.

A page starts after the last key of the previous page, so concurrent writes do not shift pages. Keys in a collection
increase in the order of commits, because its row lock orders them.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, Row, Select, SQLColumnExpression, exists, func, select

from app.database.tables import CollectionTable, CropTable, EnrollmentTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.gallery.store import consent, name_search, retention, rows
from app.gallery.store.face_quality import stored_quality
from app.gallery.store.migration_sql import has_crop
from app.gallery.store.records import FaceRecord, IdentityOrder, IdentityRecord, PeoplePage
from app.gallery.store.values import Collection, JsonObject
from app.types import Page

_COUNTED = (
    select(func.count(FaceTable.id)).where(FaceTable.identity_key == IdentityTable.id).correlate(IdentityTable)
).scalar_subquery()
# The face to show: one with an image, and of those the best.
_BEST_FACE = (
    select(FaceTable.face_id)
    .where(FaceTable.identity_key == IdentityTable.id)
    .order_by(has_crop().desc(), FaceTable.quality.desc().nulls_last(), FaceTable.id)
    .limit(1)
    .correlate(IdentityTable)
)
_HAS_IMAGE = (
    exists()
    .where(FaceTable.identity_key == IdentityTable.id, CropTable.face_key == FaceTable.id)
    .correlate(IdentityTable)
)
_TOTAL = select(func.count()).select_from(IdentityTable)
_ALL = select(CollectionTable.identities)
_BEST_QUALITY = (
    select(func.max(FaceTable.quality)).where(FaceTable.identity_key == IdentityTable.id).correlate(IdentityTable)
).scalar_subquery()
_ORDERS: dict[IdentityOrder, tuple[SQLColumnExpression[Any], ...]] = {
    IdentityOrder.OLDEST: (),
    IdentityOrder.NEWEST: (IdentityTable.id.desc(),),
    IdentityOrder.NAME: (IdentityTable.words, IdentityTable.identity_id),
    IdentityOrder.FACES: (_COUNTED.desc(),),
    IdentityOrder.QUALITY: (_BEST_QUALITY.desc().nulls_last(),),
}
_IDENTITIES = select(
    IdentityTable.id,
    IdentityTable.identity_id,
    IdentityTable.name,
    IdentityTable.metadata_.label("person_metadata"),
    IdentityTable.created_at,
    IdentityTable.updated_at,
    IdentityTable.consent,
    *retention.TERMS,
    _COUNTED.label("faces"),
    _BEST_FACE.scalar_subquery().label("face_id"),
    _HAS_IMAGE.label("has_image"),
).join(CollectionTable, CollectionTable.id == IdentityTable.collection_id)
_FACES = select(
    FaceTable.id,
    FaceTable.face_id,
    IdentityTable.identity_id,
    FaceTable.box,
    FaceTable.landmarks,
    FaceTable.detection_score,
    FaceTable.quality,
    FaceTable.quality_members,
    FaceTable.norm,
    FaceTable.model,
    FaceTable.image_sha256,
    FaceTable.created_at,
    has_crop().label("has_image"),
).join(IdentityTable, FaceTable.identity_key == IdentityTable.id)


class ListingRepository:
    """Pages of collections, identities and faces, and one of each."""

    def __init__(self, engine: Engine, vault: Vault | None = None) -> None:
        """Without a vault, templates are not encrypted."""
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault or Vault(engine)

    def collections(self, *, after: int, limit: int, among: Iterable[str] | None = None) -> Page[Collection]:
        """Return the collections with keys above `after`; only those whose names are `among` these, unless None."""
        query = rows.COLLECTIONS.where(CollectionTable.id > after).order_by(CollectionTable.id)
        if among is not None:
            query = query.where(CollectionTable.name.in_(among))
        read, after_this = self._page(query, limit)
        return Page([rows.collection(row) for row in read], after_this)

    def identities(
        self,
        collection: Collection,
        *,
        after: int,
        limit: int,
        text: str | None = None,
        order: IdentityOrder = IdentityOrder.OLDEST,
    ) -> PeoplePage:
        """Return a page of the identities whose name and id match `text` (see `name_search`), and how many match.

        `after` is 0, or from the previous page: a key, or in the other orders the number of identities before this
        page. Their pages shift if identities change between them.
        """
        found = [IdentityTable.collection_id == collection.key, *([name_search.matches(text)] if text else [])]
        query = _IDENTITIES.where(*found).order_by(*_ORDERS[order], IdentityTable.id).limit(limit + 1)
        is_by_key = order is IdentityOrder.OLDEST
        query = query.where(IdentityTable.id > after) if is_by_key else query.offset(after)
        with self._reading.connect() as connection:
            read = list(connection.execute(query))
            total = connection.scalar(
                _TOTAL.where(*found) if text else _ALL.where(CollectionTable.id == collection.key)
            )
        last = (read[limit - 1].id if is_by_key else after + limit) if len(read) > limit else None
        return PeoplePage([_identity(row) for row in read[:limit]], last, total or 0)

    def identity(self, collection: Collection, identity_id: str) -> IdentityRecord:
        """Return one identity; raises IdentityUnknown."""
        with self._reading.connect() as connection:
            row = connection.execute(
                _IDENTITIES.where(
                    IdentityTable.collection_id == collection.key, IdentityTable.identity_id == identity_id
                )
            ).one_or_none()
        if row is None:
            raise rows.nobody(collection, identity_id)
        return _identity(row)

    def faces(
        self,
        collection: Collection,
        *,
        after: int,
        limit: int,
        identity_id: str | None = None,
        has_embedding: bool = False,
    ) -> Page[FaceRecord]:
        """Return the faces with keys above `after`, all or those of one identity (none if it is unknown)."""
        query = _FACES.where(FaceTable.collection_id == collection.key, FaceTable.id > after)
        if identity_id is not None:
            query = query.where(IdentityTable.identity_id == identity_id)
        if has_embedding:
            query = _with_template(query)
        read, after_this = self._page(query.order_by(FaceTable.id), limit)
        return Page([self._with_embedding(row) if has_embedding else _face(row) for row in read], after_this)

    def face(self, collection: Collection, face_id: str, *, has_embedding: bool = False) -> FaceRecord:
        """Return one face, with its embedding if wanted; raises FaceUnknown."""
        query = _FACES.where(FaceTable.collection_id == collection.key, FaceTable.face_id == face_id)
        if has_embedding:
            query = _with_template(query)
        with self._reading.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise rows.no_face(collection, face_id)
        return self._with_embedding(row) if has_embedding else _face(row)

    def answers(self, collection: Collection, identity_id: str) -> list[JsonObject]:
        """Return the answers that are stored for the enrollments of an identity, oldest first."""
        query = (
            select(EnrollmentTable.answer)
            .where(EnrollmentTable.collection_id == collection.key, EnrollmentTable.identity_id == identity_id)
            .order_by(EnrollmentTable.id)
        )
        with self._reading.connect() as connection:
            return list(connection.scalars(query))

    def _with_embedding(self, row: Row[*tuple[Any, ...]]) -> FaceRecord:
        return replace(_face(row), embedding=rows.vectors([row], self._vault)[0])

    def _page(self, query: Select[*tuple[Any, ...]], limit: int) -> tuple[list[Row[*tuple[Any, ...]]], int | None]:
        """Return at most `limit` rows, and the key of the last one if more follow."""
        with self._reading.connect() as connection:
            read = list(connection.execute(query.limit(limit + 1)))
        return read[:limit], read[limit - 1].id if len(read) > limit else None


def _with_template(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return query.add_columns(*rows.SEALED).join(CollectionTable, CollectionTable.id == FaceTable.collection_id)


def _identity(row: Row[*tuple[Any, ...]]) -> IdentityRecord:
    return IdentityRecord(
        row.id,
        row.identity_id,
        row.name,
        row.person_metadata,
        row.faces,
        row.face_id,
        row.has_image,
        row.created_at,
        row.updated_at,
        consent.value(row.consent),
        retention.ends_at(row),
        row.expires_at,
    )


def _face(row: Row[*tuple[Any, ...]]) -> FaceRecord:
    left, top, right, bottom = row.box
    return FaceRecord(
        row.id,
        row.face_id,
        row.identity_id,
        (left, top, right, bottom),
        [(x, y) for x, y in row.landmarks],
        row.detection_score,
        stored_quality(row.quality, row.quality_members),
        row.norm,
        row.model,
        row.image_sha256,
        row.created_at,
        row.has_image,
    )
