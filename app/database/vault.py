"""Encryption of personal data in the database: data keys in a table, wrapped by the master key.

A `Vault` without a master key writes plain data, and refuses a database that has data keys.

A database is closed once all its data is sealed and bound to its owner. From then on, plain and unbound rows are
refused. The wrapped data key itself records this: nobody without the master key can undo it, and without the data key
no row can be opened.
"""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, Select, exists, func, select
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.camera_table import CameraTable
from app.database.cipher import Context, Key, Master, Sealed, is_bound, key_id_of, new_secret
from app.database.delivery_tables import DestinationTable
from app.database.review_tables import ReviewImageTable
from app.database.tables import AuditTable, CropTable, DataKeyTable, FaceTable, NextTemplateTable
from app.database.unknown_face_tables import UnknownCropTable, UnknownFaceTable
from app.errors import DatabaseError, DataKeyGone, MasterKeyMissing, MasterKeyWrong, SealBroken

_NEWEST: Select[int | None] = select(func.max(DataKeyTable.id))
_SEALED_TABLES = (
    *(FaceTable, NextTemplateTable, CropTable, ReviewImageTable, UnknownFaceTable, UnknownCropTable),
    DestinationTable,
    CameraTable,
)
_MOST_NOTED = 1000
_RELOAD_S = 1.0  # least time between two reads of the data keys
_KEY_MISSING = (
    "the database has encrypted templates: name its master key with ARCID_ENCRYPTION__KEY_FILE, or copy the file "
    "master.key of the data folder that the database comes from"
)
_IS_PLAIN = "vault_is_plain"


class Vault:
    """The data keys of one database. Usable by several threads."""

    def __init__(self, engine: Engine, master: Master | None = None, *, is_closed: bool = False) -> None:
        """Open data keys with `master`. `is_closed`: refuse plain and unbound rows even if the database allows them."""
        self._engine = engine
        self._reading = engine.execution_options(is_reader=True)
        self._master = master
        self._is_closed = is_closed
        self._loaded_at = 0.0
        self._refused: dict[str, None] = {}
        self._keys: dict[int, Key] = {}
        self._loading = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Return whether new data is sealed."""
        return self._master is not None

    @property
    def is_closed(self) -> bool:
        """Return whether plain and unbound rows are refused. Once True, it stays True in this process."""
        return self._is_closed

    def open_keys(self) -> None:
        """Read all data keys, and create the first one if needed; call at start, with a current schema.

        Raises MasterKeyMissing, MasterKeyWrong, or SealBroken if the data keys were deleted.
        """
        with self._reading.connect() as connection:
            newest = connection.scalar(_NEWEST)
            if newest is not None:
                self._load(connection)
        if newest is None and self._master is not None:
            with Session(self._engine) as session, session.begin():
                if session.scalar(_NEWEST) is None:
                    _require_no_earlier_key(session)
                    self.add_key(session)
            self.refresh()

    def seal(self, transaction: Session | Connection, context: Context, data: bytes) -> Sealed:
        """Return a row's data sealed with the newest data key, also one that another process has created."""
        if self._master is None:
            _require_plain(transaction)
            return Sealed(data, None)
        newest = transaction.scalar(_NEWEST)
        key = self._keys.get(newest or 0)
        if key is None:
            self._load(transaction)
            key = self._keys[transaction.scalars(_NEWEST).one() or 0]
        return Sealed(key.seal(context, data), key.key_id)

    def open(self, context: Context, data: bytes, data_key_id: int | None) -> bytes:
        """Return the data that a row contains, opened.

        Raises MasterKeyMissing, MasterKeyWrong, or SealBroken if the row was changed. In a closed database, SealBroken
        also if it is plain or unbound.
        """
        if data_key_id is not None:
            return self.open_file(context, data)
        if self._master is not None:
            self._require_open(f"the {context.kind} is not encrypted")
        return data

    def note_refused(self, face_id: str) -> None:
        """Record a face whose row could not be opened."""
        if len(self._refused) < _MOST_NOTED:
            self._refused[face_id] = None

    def refused(self) -> list[str]:
        """Return the faces whose rows this process has refused since its start, at most a thousand."""
        return list(self._refused)

    def seal_file(self, context: Context, data: bytes) -> Sealed:
        """Return `data` sealed with the newest data key, for a file or a crop."""
        if self._master is None:
            return Sealed(data, None)
        key = self._keys[self.newest()]
        return Sealed(key.seal(context, data), key.key_id)

    def open_file(self, context: Context, sealed: bytes) -> bytes:
        """Return the content of a sealed file; raises as `open`."""
        key_id = key_id_of(sealed)
        if context.owner and not is_bound(sealed):
            self._require_open(f"the {context.kind} is not bound to its owner")
        key = self._keys.get(key_id)
        if key is None:
            with self._reading.connect() as connection:
                self._load(connection)
            key = self._keys.get(key_id)
        if key is None:
            raise DataKeyGone(f"the {context.kind} is sealed with the data key {key_id}, which is gone")
        return key.open(context, sealed)

    def newest(self) -> int:
        """Return the id of the newest data key, or 0. While the database is away: of the newest key known here."""
        with suppress(DatabaseError):
            self.refresh()
        return max(self._keys, default=0)

    def refresh(self) -> None:
        """Read the data keys again, as other processes may have created or deleted some."""
        if self._master is not None:
            with self._reading.connect() as connection:
                self._load(connection)

    def add_key(self, session: Session) -> int:
        """Create a data key in a transaction and return its id; after the commit all processes seal with it.

        The database is closed if it was closed before or contains no data yet.
        """
        master = self._required()
        is_closing = self._is_closed or not any(
            session.scalar(select(table.data_key_id.is_(None)).limit(1)) is not None for table in _SEALED_TABLES
        )
        row = DataKeyTable(wrapped=b"", master=master.fingerprint, created_at=datetime.now(UTC))
        session.add(row)
        session.flush()  # assigns the id, to which the wrapped key is bound
        row.wrapped = master.wrap(row.id, new_secret(), is_closing=is_closing)
        session.flush()
        audit.append(session, Action.DATA_KEY_CREATED, subject=str(row.id))
        return row.id

    def close(self, session: Session, key_id: int) -> None:
        """Close the database in a transaction: after the commit, only bound rows are opened."""
        master = self._required()
        row = session.get_one(DataKeyTable, key_id, with_for_update=True)
        row.wrapped = master.rewrapped(row.id, row.wrapped, is_closing=True)
        session.flush()
        audit.append(session, Action.DATABASE_CLOSED, subject=str(key_id))

    def rewrap(self, master: Master) -> int:
        """Wrap all data keys with another master key, in one transaction; return their number."""
        own = self._required()
        with Session(self._engine) as session, session.begin():
            rows = session.scalars(select(DataKeyTable).order_by(DataKeyTable.id).with_for_update()).all()
            for row in rows:
                if row.master != own.fingerprint:
                    raise _wrong(row.master, own)
                row.wrapped = own.rewrapped(row.id, row.wrapped, master)
                row.master = master.fingerprint
            detail = {"from": own.fingerprint, "to": master.fingerprint, "data_keys": len(rows)}
            audit.append(session, Action.MASTER_KEY_CHANGED, subject=master.fingerprint, detail=detail)
        return len(rows)

    def _required(self) -> Master:
        if self._master is None:
            raise MasterKeyMissing("there is no master key: set ARCID_ENCRYPTION__KEY_FILE (arcid keys new-master)")
        return self._master

    def _require_open(self, problem: str) -> None:
        """Raise SealBroken if the database is closed; checks now and then whether another process closed it."""
        if not self._is_closed and time.monotonic() - self._loaded_at >= _RELOAD_S:
            self.refresh()
        if self._is_closed:
            raise SealBroken(f"{problem}, which the database no longer accepts")

    def _load(self, transaction: Session | Connection) -> None:
        if self._master is None:
            raise MasterKeyMissing(_KEY_MISSING)
        found: dict[int, Key] = {}
        with self._loading:
            for row in transaction.execute(select(DataKeyTable.id, DataKeyTable.wrapped, DataKeyTable.master)):
                # A running process keeps its opened keys, even if another master key wraps them now.
                known = self._keys.get(row.id) if row.master != self._master.fingerprint else None
                if known is None:
                    if row.master != self._master.fingerprint:
                        raise _wrong(row.master, self._master)
                    try:
                        known = self._master.unwrap(row.id, row.wrapped)
                    except SealBroken as error:
                        raise MasterKeyWrong(f"data key {row.id} does not open with the master key") from error
                    self._is_closed = self._is_closed or is_bound(row.wrapped)
                found[row.id] = known
            self._keys, self._loaded_at = found, time.monotonic()


def _require_no_earlier_key(session: Session) -> None:
    """Raise SealBroken if data keys existed before: deleting them must not make plain rows acceptable."""
    earlier = exists().where(AuditTable.action == Action.DATA_KEY_CREATED.value)
    if session.scalar(select(earlier)):
        raise SealBroken(
            "the database has no data key, but its audit trail records one: it was deleted, and the data that it "
            "encrypted is lost; restore a backup"
        )


def _require_plain(transaction: Session | Connection) -> None:
    """Raise MasterKeyMissing if other replicas seal: one without the key must not write plain rows."""
    if not transaction.info.get(_IS_PLAIN):  # checked once for each transaction
        if transaction.scalar(_NEWEST) is not None:
            raise MasterKeyMissing(_KEY_MISSING)
        if isinstance(transaction, Session):
            transaction.info[_IS_PLAIN] = True


def _wrong(wanted: str, master: Master) -> MasterKeyWrong:
    return MasterKeyWrong(
        f"the data keys belong to master key {wanted}, but ARCID_ENCRYPTION__KEY_FILE or master.key in the data folder "
        f"is {master.fingerprint}"
    )
