"""What seals and opens what is kept of people: data keys in a table, wrapped by the master key.

A `Vault` without a master key leaves everything in plain, and refuses a database that has data keys.
"""

import threading
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Select, func, select
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.cipher import Context, Key, Master, key_id_of, new_secret
from app.database.tables import DataKeyTable
from app.errors import MasterKeyMissing, MasterKeyWrong, SealBroken

_NEWEST: Select[int | None] = select(func.max(DataKeyTable.id))


class Sealed(NamedTuple):
    """Bytes as a row keeps them, and the id of their data key; None: they are in plain."""

    data: bytes
    data_key_id: int | None


class Vault:
    """The data keys of one database. Usable by several threads."""

    def __init__(self, engine: Engine, master: Master | None = None) -> None:
        self._engine = engine
        self._reading = engine.execution_options(is_reader=True)
        self._master = master
        self._keys: dict[int, Key] = {}
        self._loading = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Say whether what is written is sealed."""
        return self._master is not None

    def open_keys(self) -> None:
        """Read all data keys, and make the first one; run at the start, with a current schema.

        Raises MasterKeyMissing, MasterKeyWrong.
        """
        with self._reading.connect() as connection:
            newest = connection.scalar(_NEWEST)
            if newest is not None:
                self._load(connection)
        if newest is None and self._master is not None:
            with Session(self._engine) as session, session.begin():
                if session.scalar(_NEWEST) is None:
                    self.add_key(session)
            self.refresh()

    def seal(self, transaction: Session | Connection, context: Context, data: bytes) -> Sealed:
        """Return what a row of this transaction keeps, sealed with the newest key, whoever has made it."""
        if self._master is None:
            return Sealed(data, None)
        newest = transaction.scalar(_NEWEST)
        key = self._keys.get(newest or 0)
        if key is None:
            self._load(transaction)
            key = self._keys[transaction.scalars(_NEWEST).one() or 0]
        return Sealed(key.seal(context, data), key.key_id)

    def open(self, context: Context, data: bytes, data_key_id: int | None) -> bytes:
        """Return what a row keeps; raises SealBroken, MasterKeyMissing, MasterKeyWrong."""
        return data if data_key_id is None else self.open_file(context, data)

    def seal_file(self, context: Context, data: bytes) -> Sealed:
        """Return what a file keeps, sealed with the newest key that this process knows; see `refresh`."""
        if self._master is None:
            return Sealed(data, None)
        key = self._keys[self.newest()]
        return Sealed(key.seal(context, data), key.key_id)

    def open_file(self, context: Context, sealed: bytes) -> bytes:
        """Return what a sealed file keeps; raises as `open`."""
        key_id = key_id_of(sealed)
        key = self._keys.get(key_id)
        if key is None:
            with self._reading.connect() as connection:
                self._load(connection)
            key = self._keys.get(key_id)
        if key is None:
            raise SealBroken(f"the {context.kind} is sealed with the data key {key_id}, which is gone")
        return key.open(context, sealed)

    def newest(self) -> int:
        """Return the id of the newest key that this process knows; 0 without any."""
        return max(self._keys, default=0)

    def refresh(self) -> None:
        """Learn of data keys that other processes have made or deleted."""
        if self._master is not None:
            with self._reading.connect() as connection:
                self._load(connection)

    def add_key(self, session: Session) -> int:
        """Make a new data key in a transaction, and return its id; from the commit on everybody seals with it."""
        if self._master is None:
            raise MasterKeyMissing("there is no master key: set ARCID_ENCRYPTION__KEY_FILE")
        row = DataKeyTable(wrapped=b"", master=self._master.fingerprint, created_at=datetime.now(UTC))
        session.add(row)
        session.flush()  # gives the id, to which the wrapping is bound
        row.wrapped = self._master.wrap(row.id, new_secret())
        session.flush()
        audit.append(session, Action.DATA_KEY_CREATED, subject=str(row.id))
        return row.id

    def rewrap(self, master: Master) -> int:
        """Wrap all data keys with another master key, in one transaction; return how many there are."""
        if self._master is None:
            raise MasterKeyMissing("there is no master key: set ARCID_ENCRYPTION__KEY_FILE")
        with Session(self._engine) as session, session.begin():
            rows = session.scalars(select(DataKeyTable).order_by(DataKeyTable.id).with_for_update()).all()
            for row in rows:
                if row.master != self._master.fingerprint:
                    raise _wrong(row.master, self._master)
                row.wrapped = self._master.rewrapped(row.id, row.wrapped, master)
                row.master = master.fingerprint
            detail = {"from": self._master.fingerprint, "to": master.fingerprint, "data_keys": len(rows)}
            audit.append(session, Action.MASTER_KEY_CHANGED, subject=master.fingerprint, detail=detail)
        return len(rows)

    def _load(self, transaction: Session | Connection) -> None:
        if self._master is None:
            raise MasterKeyMissing(
                "the database has encrypted templates: name its master key with ARCID_ENCRYPTION__KEY_FILE"
            )
        found: dict[int, Key] = {}
        with self._loading:
            for row in transaction.execute(select(DataKeyTable.id, DataKeyTable.wrapped, DataKeyTable.master)):
                known = self._keys.get(row.id)
                if known is None:
                    if row.master != self._master.fingerprint:
                        raise _wrong(row.master, self._master)
                    try:
                        known = self._master.unwrap(row.id, row.wrapped)
                    except SealBroken as error:
                        raise MasterKeyWrong(f"data key {row.id} does not open with the master key") from error
                found[row.id] = known
            self._keys = found


def _wrong(wanted: str, master: Master) -> MasterKeyWrong:
    return MasterKeyWrong(
        f"the database's data keys are of the master key {wanted}, not of {master.fingerprint}, which the settings name"
    )
