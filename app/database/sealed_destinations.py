"""Sealed URLs and secrets of destinations, and their encryption with another data key.

There are few destinations, so one transaction reseals them all.
"""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, func, or_, select
from sqlalchemy.orm import Session

from app.database.cipher import Context
from app.database.delivery_tables import DestinationTable
from app.database.vault import Vault
from app.errors import SealBroken

_KEY = DestinationTable.data_key_id


def destination_context(destination_id: str) -> Context:
    """Return the encryption context of a destination's URL and secrets."""
    return Context("destination", destination_id, ("delivery",))


def destinations_left(connection: Connection, key: int | None) -> int:
    """Return the number of destinations without a data key; without `key`, the number of unencrypted ones."""
    lacks = _KEY.is_(None) if key is None else _lacks(key)
    return connection.scalar(select(func.count()).select_from(DestinationTable).where(lacks)) or 0


def has_destinations(session: Session, key: int) -> bool:
    """Return whether a destination is sealed with a data key."""
    return session.scalar(select(DestinationTable.id).where(_has(key)).limit(1)) is not None


def has_other_destinations(session: Session, key: int, *, is_plain_one: bool) -> bool:
    """Return whether a destination is not sealed with a data key; `is_plain_one`: an unencrypted one counts."""
    other = _lacks(key) if is_plain_one else ~_has(key)
    return session.scalar(select(DestinationTable.id).where(other).limit(1)) is not None


def reseal_destinations(session: Session, vault: Vault, key: int) -> tuple[int, list[tuple[str, str]]]:
    """Seal all destinations with the newest data key.

    Returns:
        The number of sealed destinations, and the id of each that does not open, with the reason.
    """
    sealed, refused = 0, []
    query = select(DestinationTable).where(_lacks(key)).order_by(DestinationTable.id)
    for row in session.scalars(query.with_for_update(key_share=True)):
        context = destination_context(row.destination_id)
        try:
            content = vault.open(context, row.sealed, row.data_key_id)
        except SealBroken as error:
            refused.append((row.destination_id, str(error)))
            continue
        row.sealed, row.data_key_id = vault.seal(session, context, content)
        sealed += 1
    return sealed, refused


def destination_flaws(connection: Connection, vault: Vault) -> Iterator[tuple[str, str, bool]]:
    """Yield the id of each destination that is unencrypted or does not open, the reason, and whether it is refused."""
    table = DestinationTable.__table__
    for row in connection.execute(select(table).order_by(table.c.id)):
        try:
            vault.open(destination_context(row.destination_id), row.sealed, row.data_key_id)
        except SealBroken as error:
            yield row.destination_id, str(error), True
        else:
            if row.data_key_id is None:
                yield row.destination_id, "in plain yet", False


def _has(key: int) -> ColumnElement[bool]:
    return DestinationTable.data_key_id == key


def _lacks(key: int) -> ColumnElement[bool]:
    return or_(_KEY.is_(None), ~_has(key))
