"""Encryption of unknown faces: a template opens only with its face, collection and model, a crop with its face."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from app.database.cipher import Context
from app.database.table_types import Base
from app.database.tables import CollectionTable
from app.database.unknown_face_tables import UnknownCropTable, UnknownFaceTable
from app.database.vault import Vault
from app.gallery.store.binding import write_sealed


def unknown_template_context(face_id: str, *, collection_key: int, model: str) -> Context:
    """Return the encryption context of an unknown face's template."""
    return Context("unknown template", face_id, (str(collection_key), model))


def unknown_crop_context(face_id: str, *, collection_key: int) -> Context:
    """Return the encryption context of an unknown face's crop."""
    return Context("unknown crop", f"crop:{face_id}", (str(collection_key),))


class UnknownSealedKind(NamedTuple):
    """A kind of sealed rows of unknown faces, as `app.gallery.store.binding.SealedKind` is one of enrolled faces."""

    table: type[UnknownFaceTable | UnknownCropTable]
    keys: tuple[str, ...]
    column: str
    faces: type[UnknownFaceTable] = UnknownFaceTable

    def rows(self) -> Select[*tuple[Any, ...]]:
        """Return the query of all rows, with the columns that `context` needs."""
        table = Base.metadata.tables[self.table.__tablename__]
        query = select(
            *(table.c[name] for name in self.keys),
            UnknownFaceTable.id.label("of_face"),
            UnknownFaceTable.face_id,
            UnknownFaceTable.collection_id.label("collection_key"),
            CollectionTable.name.label("collection"),
            UnknownFaceTable.model.label("bound_model"),
            table.c[self.column].label("sealed"),
            table.c.data_key_id,
        ).select_from(table)
        if self.table is not UnknownFaceTable:
            query = query.join(UnknownFaceTable, UnknownFaceTable.id == table.c.face_key)
        return query.join(CollectionTable, CollectionTable.id == UnknownFaceTable.collection_id).order_by(
            *(table.c[name] for name in self.keys)
        )

    def context(self, row: Row[*tuple[Any, ...]]) -> Context:
        """Return the encryption context of a row of `rows`."""
        if self.table is UnknownCropTable:
            return unknown_crop_context(row.face_id, collection_key=row.collection_key)
        return unknown_template_context(row.face_id, collection_key=row.collection_key, model=row.bound_model)

    def write(
        self, session: Session, vault: Vault, plain: Iterable[tuple[Row[*tuple[Any, ...]], Context, bytes]]
    ) -> int:
        """Reseal rows of `rows`, each with a context, and return their number."""
        return write_sealed(session, vault, self, plain)


UNKNOWN_SEALED_KINDS = (
    UnknownSealedKind(UnknownFaceTable, ("id",), "embedding"),
    UnknownSealedKind(UnknownCropTable, ("face_key",), "sealed"),
)
