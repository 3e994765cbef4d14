"""What seals and opens what is kept of people: data keys in a table, wrapped by the master key.

A `Vault` without a master key leaves everything in plain, and refuses a database that has data keys.

A database is closed once everything in it is sealed and bound to its owner: from then on rows in plain, and rows that
are not bound, are refused. What says so is the wrapping of the data key itself: without the master key nobody can take
it back, and without the data key nothing opens.
"""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, Select, exists, func, select
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.cipher import Context, Key, Master, Sealed, is_bound, key_id_of, new_secret
from app.database.tables import AuditTable, CropTable, DataKeyTable, FaceTable, NextTemplateTable
from app.errors import DatabaseError, DataKeyGone, MasterKeyMissing, MasterKeyWrong, SealBroken

_NEWEST: Select[int | None] = select(func.max(DataKeyTable.id))
_SEALED_TABLES = (FaceTable, NextTemplateTable, CropTable)
_MOST_NOTED = 1000
_RELOAD_S = 1.0  # how often rows that may have to be refused make the data keys be read again
_IS_PLAIN = "vault_is_plain"


class Vault:
    """The data keys of one database. Usable by several threads."""

    def __init__(self, engine: Engine, master: Master | None = None, *, is_closed: bool = False) -> None:
        """With `is_closed`, rows in plain and rows that are not bound are refused whatever the database says."""
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
        """Say whether what is written is sealed."""
        return self._master is not None

    @property
    def is_closed(self) -> bool:
        """Say whether rows in plain, and rows that are not bound, are refused; never taken back while this runs."""
        return self._is_closed

    def open_keys(self) -> None:
        """Read all data keys, and make the first one; run at the start, with a current schema.

        Raises MasterKeyMissing, MasterKeyWrong, and SealBroken if the data keys were deleted.
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
        """Return what a row of this transaction keeps, sealed with the newest key, whoever has made it."""
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
        """Return what a row keeps.

        Raises SealBroken, MasterKeyMissing, MasterKeyWrong; SealBroken also for a row in plain, or one that is not
        bound to its owner, in a closed database.
        """
        if data_key_id is not None:
            return self.open_file(context, data)
        if self._master is not None:
            self._require_open(f"the {context.kind} is in plain")
        return data

    def note_refused(self, face_id: str) -> None:
        """Remember a face whose row did not open."""
        if len(self._refused) < _MOST_NOTED:
            self._refused[face_id] = None

    def refused(self) -> list[str]:
        """Return the faces whose rows this process has refused since its start, the first thousand of them."""
        return list(self._refused)

    def seal_file(self, context: Context, data: bytes) -> Sealed:
        """Return `data` sealed with the newest data key, for a file or a crop."""
        if self._master is None:
            return Sealed(data, None)
        key = self._keys[self.newest()]
        return Sealed(key.seal(context, data), key.key_id)

    def open_file(self, context: Context, sealed: bytes) -> bytes:
        """Return what a sealed file keeps; raises as `open`."""
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
        """Return the id of the newest data key; the newest known one while the database is away, 0 without any."""
        with suppress(DatabaseError):
            self.refresh()
        return max(self._keys, default=0)

    def refresh(self) -> None:
        """Learn of data keys that other processes have made or deleted."""
        if self._master is not None:
            with self._reading.connect() as connection:
                self._load(connection)

    def add_key(self, session: Session) -> int:
        """Make a new data key in a transaction, and return its id; from the commit on everybody seals with it.

        It closes the database if that was closed before, or holds nothing yet.
        """
        master = self._required()
        is_closing = self._is_closed or not any(
            session.scalar(select(table.data_key_id.is_(None)).limit(1)) is not None for table in _SEALED_TABLES
        )
        row = DataKeyTable(wrapped=b"", master=master.fingerprint, created_at=datetime.now(UTC))
        session.add(row)
        session.flush()  # gives the id, to which the wrapping is bound
        row.wrapped = master.wrap(row.id, new_secret(), is_closing=is_closing)
        session.flush()
        audit.append(session, Action.DATA_KEY_CREATED, subject=str(row.id))
        return row.id

    def close(self, session: Session, key_id: int) -> None:
        """Close the database in a transaction: from the commit on, only bound texts are opened."""
        master = self._required()
        row = session.get_one(DataKeyTable, key_id, with_for_update=True)
        row.wrapped = master.rewrapped(row.id, row.wrapped, is_closing=True)
        session.flush()
        audit.append(session, Action.DATABASE_CLOSED, subject=str(key_id))

    def rewrap(self, master: Master) -> int:
        """Wrap all data keys with another master key, in one transaction; return how many there are."""
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
        """Raise SealBroken if the database is closed; whether another process closed it is read once in a while."""
        if not self._is_closed and time.monotonic() - self._loaded_at >= _RELOAD_S:
            self.refresh()
        if self._is_closed:
            raise SealBroken(f"{problem}, in a database that holds no such rows any more")

    def _load(self, transaction: Session | Connection) -> None:
        if self._master is None:
            raise MasterKeyMissing(
                "the database has encrypted templates: name its master key with ARCID_ENCRYPTION__KEY_FILE"
            )
        found: dict[int, Key] = {}
        with self._loading:
            for row in transaction.execute(select(DataKeyTable.id, DataKeyTable.wrapped, DataKeyTable.master)):
                # Who runs goes on with the keys that it has, whatever master key wraps them by now.
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
    """Raise SealBroken if there were data keys: whoever deletes them must not open the door to rows in plain."""
    earlier = exists().where(AuditTable.action == Action.DATA_KEY_CREATED.value)
    if session.scalar(select(earlier)):
        raise SealBroken(
            "the database has no data key, but its audit trail records one: it was deleted, and the data that it "
            "encrypted is lost; restore a backup"
        )


def _require_plain(transaction: Session | Connection) -> None:
    """Raise MasterKeyMissing if others seal: a replica without the key must not write in plain beside them."""
    if not transaction.info.get(_IS_PLAIN):  # asked once in a transaction
        if transaction.scalar(_NEWEST) is not None:
            raise MasterKeyMissing(
                "the database has encrypted templates: name its master key with ARCID_ENCRYPTION__KEY_FILE"
            )
        if isinstance(transaction, Session):
            transaction.info[_IS_PLAIN] = True


def _wrong(wanted: str, master: Master) -> MasterKeyWrong:
    return MasterKeyWrong(
        f"the database's data keys are of the master key {wanted}, not of {master.fingerprint}, which the settings name"
    )
