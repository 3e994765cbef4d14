"""Images of events: JPEGs of faces, sealed by the vault for their event.

A key rotation deletes the images that are older than the new key: they are kept for days only (`Reencryption.finish`).
"""

from contextlib import suppress

from app.database.cipher import Context
from app.database.vault import Vault
from app.errors import DataKeyGone, SealBroken


def seal_image(vault: Vault, event_id: str, jpeg: bytes) -> bytes:
    """Return a JPEG as it is stored with an event; plain if encryption is off."""
    return vault.seal_file(_context(event_id), jpeg).data


def open_image(vault: Vault, event_id: str, stored: bytes) -> bytes | None:
    """Return the JPEG of an event; None if it cannot be opened, as after a key rotation or a change of the row."""
    if not vault.is_on:
        return stored
    with suppress(SealBroken, DataKeyGone):
        return vault.open_file(_context(event_id), stored)
    return None


def _context(event_id: str) -> Context:
    return Context("event image", event_id, ("events",))
