"""Encrypting what is stored, or encrypting it anew, block by block while the service runs.

Whoever writes meanwhile seals with the newest key. A key is deleted only when no row needs it: the database refuses it
before that (a foreign key), also where a writer has not committed yet.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.cipher import Context
from app.database.tables import Base, CollectionTable, CropTable, DataKeyTable, FaceTable, NextTemplateTable
from app.database.vault import Vault
from app.errors import MasterKeyMissing
from app.identities import rows
from app.identities.crops import about, crop_context


class _Kind(NamedTuple):
    """Rows that are sealed, each for a face: where, under which key columns, in which column, and as what."""

    table: type[FaceTable | NextTemplateTable | CropTable]
    keys: tuple[str, ...]
    column: str

    def context(self, face_id: str) -> Context:
        return crop_context(about(face_id)) if self.table is CropTable else rows.template_of(face_id)

    def read(self, key: int, block: int) -> Select[*tuple[Any, ...]]:
        table = Base.metadata.tables[self.table.__tablename__]
        keys = [table.c[name] for name in self.keys]
        query = select(*keys, FaceTable.face_id.label("of"), table.c[self.column], table.c.data_key_id)
        if self.table is not FaceTable:
            query = query.join_from(table, FaceTable, FaceTable.id == table.c.face_key)
        return query.where(_lacks(self, key)).order_by(*keys).limit(block).with_for_update(of=table)


_KINDS = (
    _Kind(FaceTable, ("id",), "embedding"),
    _Kind(NextTemplateTable, ("face_key", "model"), "embedding"),
    _Kind(CropTable, ("face_key",), "sealed"),
)


class Resealing:
    """`begin`, `run` to its end, `finish`; cut off anywhere, the next `begin` goes on."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault

    def begin(self) -> int:
        """Return the key that everything gets: the newest while rows lack it, else a new one.

        Raises MasterKeyMissing.
        """
        if not self._vault.is_on:
            raise MasterKeyMissing("there is no master key: set ARCID_ENCRYPTION__KEY_FILE (arcid keys new-master)")
        with Session(self._writing) as session, session.begin():
            newest = session.scalar(select(func.max(DataKeyTable.id)))
            is_used = newest is not None and any(_exists(session, each, _has(each, newest)) for each in _KINDS)
            is_finished = newest is None or (
                is_used and not any(_exists(session, each, _lacks(each, newest)) for each in _KINDS)
            )
            key = self._vault.add_key(session) if newest is None or is_finished else newest
        self._vault.refresh()
        return key

    def left(self, key: int | None = None) -> int:
        """Return how many rows do not have a key; without one, how many are in plain."""
        left = 0
        with self._reading.connect() as connection:
            for each in _KINDS:
                lacks = each.table.data_key_id.is_(None) if key is None else _lacks(each, key)
                left += connection.scalar(select(func.count()).select_from(each.table).where(lacks)) or 0
        return left

    def run(self, key: int, block: int) -> Iterator[int]:
        """Give all rows the key, `block` at a time; yield how many each time."""
        for kind in _KINDS:
            while sealed := self._block(kind, key, block):
                yield sealed

    def finish(self, key: int) -> list[int]:
        """Delete the older keys that nothing needs any more, and have snapshots written anew; return their ids."""
        deleted = []
        with self._reading.connect() as connection:
            older = connection.scalars(select(DataKeyTable.id).where(DataKeyTable.id < key)).all()
        for each in older:
            try:
                with Session(self._writing) as session, session.begin():
                    session.execute(delete(DataKeyTable).where(DataKeyTable.id == each))
                    audit.append(session, Action.DATA_KEY_DELETED, subject=str(each))
            except IntegrityError:  # somebody has just written with it: the next rotation deletes it
                continue
            deleted.append(each)
        with Session(self._writing) as session, session.begin():
            # Who follows a revision writes a snapshot then, with the new key.
            session.execute(update(CollectionTable).values(revision=CollectionTable.revision + 1))
        return deleted

    def _block(self, kind: _Kind, key: int, block: int) -> int:
        with Session(self._writing) as session, session.begin():
            read = session.execute(kind.read(key, block)).all()
            changed = []
            for row in read:
                context = kind.context(row.of)
                plain = self._vault.open(context, getattr(row, kind.column), row.data_key_id)
                sealed = self._vault.seal(session, context, plain)
                which = {f"of_{name}": getattr(row, name) for name in kind.keys}
                changed.append({**which, kind.column: sealed.data, "data_key_id": sealed.data_key_id})
            if changed:
                table = Base.metadata.tables[kind.table.__tablename__]
                here = [table.c[name] == bindparam(f"of_{name}") for name in kind.keys]
                session.connection().execute(update(table).where(*here), changed)
        return len(read)


def _lacks(kind: _Kind, key: int) -> ColumnElement[bool]:
    return or_(kind.table.data_key_id.is_(None), kind.table.data_key_id != key)


def _has(kind: _Kind, key: int) -> ColumnElement[bool]:
    return kind.table.data_key_id == key


def _exists(session: Session, kind: _Kind, condition: ColumnElement[bool]) -> bool:
    return session.scalar(select(kind.table.data_key_id.is_(None)).where(condition).limit(1)) is not None
