"""Encryption, and key rotation, of stored data, block by block while the service runs.

Writers use the newest key. A key is deleted when no row needs it; before that, a foreign key prevents it, even for
uncommitted writes. When every row is sealed and bound to its owner, the database is closed: see `app.database.vault`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.cipher import BOUND_VERSION
from app.database.event_erasure import forget_images
from app.database.sealed_destinations import (
    destination_flaws,
    destinations_left,
    has_destinations,
    has_other_destinations,
    reseal_destinations,
)
from app.database.table_types import Base
from app.database.tables import CollectionTable, DataKeyTable, FaceTable
from app.database.vault import Vault
from app.errors import MasterKeyMissing, SealBroken
from app.gallery.store.binding import SEALED_KINDS, SealedKind
from app.gallery.store.cameras import reseal_urls
from app.gallery.store.review_images import REVIEW_IMAGES, SealedImageKind
from app.gallery.store.unknown.sealing import UNKNOWN_SEALED_KINDS, UnknownSealedKind

PLAIN = "in plain yet"
_KINDS = (*SEALED_KINDS, REVIEW_IMAGES, *UNKNOWN_SEALED_KINDS)
_Kind = SealedKind | SealedImageKind | UnknownSealedKind
_READ_AT_ONCE = 1000
_DESTINATIONS = "destinations"


@dataclass(frozen=True, slots=True)
class Flaw:
    """A faulty row of a face, with its table and the reason; `is_refused`: the row is not used."""

    table: str
    face_id: str
    collection: str
    why: str
    is_refused: bool


class Reencryption:
    """A key rotation: `begin`, `run` to its end, `finish`. After an interruption, the next `begin` resumes it."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault
        self.refused: list[Flaw] = []
        """Rows that `run` skipped because they cannot be decrypted."""

    def begin(self) -> int:
        """Return the target key of the rotation: the newest while rows lack it, otherwise a new one.

        Raises MasterKeyMissing if encryption is off.
        """
        if not self._vault.is_on:
            raise MasterKeyMissing("there is no master key: set ARCID_ENCRYPTION__KEY_FILE (arcid keys new-master)")
        with Session(self._writing) as session, session.begin():
            newest = session.scalar(select(func.max(DataKeyTable.id)))
            is_used = newest is not None and _is_used(session, newest)
            is_finished = newest is None or (is_used and not self._is_unfinished(session, newest))
            key = self._vault.add_key(session) if newest is None or is_finished else newest
        self._vault.refresh()
        return key

    def left(self, key: int | None = None) -> int:
        """Return the number of rows without this key or binding; without a key, the number of unencrypted rows."""
        with self._reading.connect() as connection:
            left = destinations_left(connection, key)
            for each in _KINDS:
                lacks = each.table.data_key_id.is_(None) if key is None else _lacks(each, key)
                left += connection.scalar(select(func.count()).select_from(each.table).where(lacks)) or 0
        return left

    def run(self, key: int, block: int) -> Iterator[int]:
        """Reseal all rows with the key, `block` at a time; yield the number of rows of each block."""
        self.refused = []
        with self._reading.connect() as connection:
            collections = connection.scalars(select(CollectionTable.id).order_by(CollectionTable.id)).all()
        for kind in _KINDS:
            for collection in collections:
                yield from self._blocks(kind, collection, key, block)
        if sealed := self._destinations(key):
            yield sealed

    def finish(self, key: int) -> list[int]:
        """Delete older keys that no row needs, trigger new snapshots, and return the ids of the deleted keys.

        The URLs of cameras, which are few, are sealed again first. Delete the images of events from before the key.
        Close the database if only refused rows are left.
        """
        deleted = []
        with Session(self._writing) as session, session.begin():
            reseal_urls(session, self._vault, key)
        with self._reading.connect() as connection:
            older = connection.scalars(select(DataKeyTable.id).where(DataKeyTable.id < key)).all()
        with Session(self._writing) as session, session.begin():
            created = session.scalar(select(DataKeyTable.created_at).where(DataKeyTable.id == key))
            if created is not None:
                forget_images(session, created)
        for each in older:
            try:
                with Session(self._writing) as session, session.begin():
                    session.execute(delete(DataKeyTable).where(DataKeyTable.id == each))
                    audit.append(session, Action.DATA_KEY_DELETED, subject=str(each))
            except IntegrityError:  # a writer has just used it: the next rotation deletes it
                continue
            deleted.append(each)
        with Session(self._writing) as session, session.begin():
            # Indexes that follow the new revision write a snapshot with the new key.
            session.execute(update(CollectionTable).values(revision=CollectionTable.revision + 1))
        if not self._vault.is_closed and self.left(key) <= len(self.refused):
            with Session(self._writing) as session, session.begin():
                self._vault.close(session, key)
        self._vault.refresh()
        return deleted

    def standing(self) -> tuple[int, int]:
        """Return the number of unencrypted rows, and of other rows that this process could not decrypt."""
        met = self._vault.refused()
        with self._reading.connect() as connection:
            there = select(FaceTable.face_id).where(FaceTable.face_id.in_(met), FaceTable.data_key_id.is_not(None))
            refused = len(connection.scalars(there).all())
        return self.left(), refused

    def flaws(self) -> Iterator[Flaw]:
        """Decrypt every row, and yield those that are unencrypted, not bound to their owner, or unreadable."""
        for kind in _KINDS:
            query, after = kind.rows().limit(_READ_AT_ONCE), 0
            table = Base.metadata.tables[kind.table.__tablename__]
            order = table.c[kind.keys[0]]
            with self._reading.connect() as connection:
                while read := connection.execute(query.where(order > after)).all():
                    # Keep the rows of one face (of several models) together: the last face may be incomplete.
                    last = read[-1].of_face
                    whole = [row for row in read if row.of_face < last] if len(read) == _READ_AT_ONCE else read
                    after = whole[-1].of_face
                    yield from (flaw for row in whole if (flaw := self._flaw(kind, row)) is not None)
        with self._reading.connect() as connection:
            for each, why, is_refused in destination_flaws(connection, self._vault):
                yield Flaw(_DESTINATIONS, each, "", why, is_refused=is_refused)

    def _destinations(self, key: int) -> int:
        """Reseal the destinations of events, which belong to no collection; return their number."""
        with Session(self._writing) as session, session.begin():
            sealed, refused = reseal_destinations(session, self._vault, key)
        self.refused += [Flaw(_DESTINATIONS, each, "", why, is_refused=True) for each, why in refused]
        return sealed

    def _is_unfinished(self, session: Session, key: int) -> bool:
        """Return whether a rotation was interrupted; in a closed database, refused rows do not count."""
        if has_other_destinations(session, key, is_plain_one=not self._vault.is_closed):
            return True
        for kind in _KINDS:
            lacks = _lacks(kind, key)
            if self._vault.is_closed:
                lacks = (kind.table.data_key_id != key) & (_version(kind) == _BOUND)
            if _exists(session, kind, lacks):
                return True
        return False

    def _flaw(self, kind: _Kind, row: Row[*tuple[Any, ...]]) -> Flaw | None:
        why = None
        try:
            self._vault.open(kind.context(row), row.sealed, row.data_key_id)
        except SealBroken as error:
            return _flaw(kind, row, str(error))
        if row.data_key_id is None:
            why = PLAIN
        elif row.sealed[:1] != _BOUND:
            why = "not bound to its owner yet"
        return (
            None if why is None else Flaw(kind.table.__tablename__, row.face_id, row.collection, why, is_refused=False)
        )

    def _blocks(self, kind: _Kind, collection: int, key: int, block: int) -> Iterator[int]:
        last: tuple[Any, ...] = ()
        while (done := self._block(kind, collection, key, block, last)) is not None:
            sealed, last = done
            if sealed:
                yield sealed

    def _block(
        self, kind: _Kind, collection: int, key: int, block: int, last: tuple[Any, ...]
    ) -> tuple[int, tuple[Any, ...]] | None:
        """Reseal a block after the row with the keys `last`; return the number of rows, and the last row's keys."""
        table = Base.metadata.tables[kind.table.__tablename__]
        with Session(self._writing) as session, session.begin():
            # Lock like all writers: a face must not change its owner between reading and writing.
            session.execute(select(CollectionTable.id).where(CollectionTable.id == collection).with_for_update())
            query = kind.rows().where(kind.faces.collection_id == collection, _lacks(kind, key))
            if last:
                query = query.where(_after([table.c[name] for name in kind.keys], last))
            read = session.execute(query.limit(block)).all()
            if not read:
                return None
            opened = []
            for row in read:
                context = kind.context(row)
                try:
                    opened.append((row, context, self._vault.open(context, row.sealed, row.data_key_id)))
                except SealBroken as error:
                    self.refused.append(_flaw(kind, row, str(error)))
            sealed = kind.write(session, self._vault, opened)
        return sealed, tuple(getattr(read[-1], name) for name in kind.keys)


_BOUND = bytes([BOUND_VERSION])


def _flaw(kind: _Kind, row: Row[*tuple[Any, ...]], why: str) -> Flaw:
    return Flaw(kind.table.__tablename__, row.face_id, row.collection, why, is_refused=True)


def _after(keys: list[ColumnElement[Any]], last: tuple[Any, ...]) -> ColumnElement[bool]:
    """Return the condition that selects the rows after another row, in the order of one or two keys."""
    first = keys[0] > last[0]
    return first if len(keys) == 1 else or_(first, (keys[0] == last[0]) & (keys[1] > last[1]))


def _lacks(kind: _Kind, key: int) -> ColumnElement[bool]:
    return or_(kind.table.data_key_id.is_(None), kind.table.data_key_id != key, _version(kind) != _BOUND)


def _version(kind: _Kind) -> ColumnElement[bytes]:
    return func.substr(Base.metadata.tables[kind.table.__tablename__].c[kind.column], 1, 1)


def _has(kind: _Kind, key: int) -> ColumnElement[bool]:
    return kind.table.data_key_id == key


def _is_used(session: Session, key: int) -> bool:
    return has_destinations(session, key) or any(_exists(session, each, _has(each, key)) for each in _KINDS)


def _exists(session: Session, kind: _Kind, condition: ColumnElement[bool]) -> bool:
    return session.scalar(select(kind.table.data_key_id.is_(None)).where(condition).limit(1)) is not None
