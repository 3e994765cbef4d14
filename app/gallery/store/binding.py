"""Binding of sealed templates and crops to their owners, and resealing for another owner.

A sealed template can be decrypted only with its face, identity, collection and model, a crop only with its face,
identity and collection. A change of owner therefore reseals them, in the same transaction.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Row, Select, bindparam, select, update
from sqlalchemy.orm import Session

from app.database.cipher import Context
from app.database.table_types import Base
from app.database.tables import CollectionTable, CropTable, FaceTable, IdentityTable, NextTemplateTable
from app.database.vault import Vault

_ASK_AT_ONCE = 500


def template_context(face_id: str, *, identity_id: str, collection: str, model: str) -> Context:
    """Return the encryption context of a face's template."""
    return Context("template", face_id, (identity_id, collection, model))


def crop_context(face_id: str, *, identity_id: str, collection: str) -> Context:
    """Return the encryption context of a face's crop, which does not depend on the collection's model."""
    return Context("crop", f"crop:{face_id}", (identity_id, collection))


class SealedKind(NamedTuple):
    """A kind of sealed rows: table, key columns and sealed column."""

    table: type[FaceTable | NextTemplateTable | CropTable]
    keys: tuple[str, ...]
    column: str
    faces: type[FaceTable] = FaceTable

    def rows(self) -> Select[*tuple[Any, ...]]:
        """Return the query of all rows, with the columns that `context` needs."""
        table = Base.metadata.tables[self.table.__tablename__]
        model = NextTemplateTable.model if self.table is NextTemplateTable else CollectionTable.model
        query = select(
            *(table.c[name] for name in self.keys),
            FaceTable.id.label("of_face"),
            FaceTable.face_id,
            IdentityTable.identity_id,
            CollectionTable.name.label("collection"),
            model.label("bound_model"),
            table.c[self.column].label("sealed"),
            table.c.data_key_id,
        ).select_from(table)
        if self.table is not FaceTable:
            query = query.join(FaceTable, FaceTable.id == table.c.face_key)
        return (
            query.join(IdentityTable, IdentityTable.id == FaceTable.identity_key)
            .join(CollectionTable, CollectionTable.id == FaceTable.collection_id)
            .order_by(*(table.c[name] for name in self.keys))
        )

    def context(self, row: Row[*tuple[Any, ...]], identity_id: str | None = None) -> Context:
        """Return the encryption context of a row of `rows`, or its context under another identity."""
        owner = row.identity_id if identity_id is None else identity_id
        if self.table is CropTable:
            return crop_context(row.face_id, identity_id=owner, collection=row.collection)
        return template_context(row.face_id, identity_id=owner, collection=row.collection, model=row.bound_model)

    def write(
        self, session: Session, vault: Vault, plain: Iterable[tuple[Row[*tuple[Any, ...]], Context, bytes]]
    ) -> int:
        """Reseal rows of `rows`, each with a context, and return their number."""
        return write_sealed(session, vault, self, plain)


class SealedColumn(Protocol):
    """A sealed column of a table, with the table's key columns and `data_key_id`."""

    @property
    def table(self) -> type[Base]:
        """The table."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its key columns."""

    @property
    def column(self) -> str:
        """The name of the sealed column."""


def write_sealed(
    session: Session,
    vault: Vault,
    kind: SealedColumn,
    plain: Iterable[tuple[Row[*tuple[Any, ...]], Context, bytes]],
) -> int:
    """Reseal rows, each with its context, and return their number."""
    changed = []
    for row, context, data in plain:
        sealed = vault.seal(session, context, data)
        which = {f"of_{name}": getattr(row, name) for name in kind.keys}
        changed.append({**which, kind.column: sealed.data, "data_key_id": sealed.data_key_id})
    if changed:
        table = Base.metadata.tables[kind.table.__tablename__]
        here = [table.c[name] == bindparam(f"of_{name}") for name in kind.keys]
        session.connection().execute(update(table).where(*here), changed)
    return len(changed)


SEALED_KINDS = (
    SealedKind(FaceTable, ("id",), "embedding"),
    SealedKind(NextTemplateTable, ("face_key", "model"), "embedding"),
    SealedKind(CropTable, ("face_key",), "sealed"),
)


def rebind(session: Session, vault: Vault, face_keys: Sequence[int], identity_id: str) -> None:
    """Reseal all stored data of faces for another identity. Call it before the faces change their owner.

    The caller holds the collection's lock. Raises SealBroken for a row that cannot be decrypted.
    """
    if not vault.is_on:
        return
    for kind in SEALED_KINDS:
        for start in range(0, len(face_keys), _ASK_AT_ONCE):
            query = kind.rows().where(FaceTable.id.in_(face_keys[start : start + _ASK_AT_ONCE]))
            read = session.execute(query).all()
            opened = ((row, vault.open(kind.context(row), row.sealed, row.data_key_id)) for row in read)
            kind.write(session, vault, [(row, kind.context(row, identity_id), data) for row, data in opened])
