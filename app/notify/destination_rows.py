"""Conversion of rows of destinations to values, and the sealing of their URLs and secrets."""

import json

from sqlalchemy.orm import Session

from app.database.cipher import Sealed
from app.database.delivery_tables import DestinationTable
from app.database.outbox import EventKind
from app.database.sealed_destinations import destination_context
from app.database.vault import Vault
from app.notify.destination import Destination, DestinationAccess, DestinationKind


def destination_of(row: DestinationTable) -> Destination:
    """Return the destination in a row."""
    return Destination(
        row.id,
        row.destination_id,
        DestinationKind(row.kind),
        row.origin,
        None if row.kinds is None else frozenset(map(EventKind, row.kinds)),
        None if row.collections is None else frozenset(row.collections),
        row.is_enabled,
        row.is_image_sent,
        row.previous_until,
        row.created_at,
    )


def sealed_access(session: Session, vault: Vault, destination_id: str, access: DestinationAccess) -> Sealed:
    """Return a URL and secrets, sealed for the row of their destination."""
    content = {"url": access.url, "secret": access.secret, "previous_secret": access.previous_secret}
    return vault.seal(session, destination_context(destination_id), json.dumps(content).encode())


def opened_access(vault: Vault, row: DestinationTable, *, is_rotating: bool) -> DestinationAccess:
    """Return the URL and secrets in a row; raises EncryptionError if it does not open.

    `is_rotating`: the previous secret is still valid.
    """
    content = json.loads(vault.open(destination_context(row.destination_id), row.sealed, row.data_key_id))
    return DestinationAccess(content["url"], content["secret"], content["previous_secret"] if is_rotating else None)
