"""Images of events: JPEGs of faces, stored only encrypted, each for its event.

A key rotation deletes the images that are older than the new key: they are kept for days only (`Reencryption.finish`).
"""

from contextlib import suppress

from app.database.cipher import Context
from app.database.vault import Vault
from app.errors import MasterKeyMissing, SealBroken


def seal_image(vault: Vault, event_id: str, jpeg: bytes) -> bytes | None:
    """Return a JPEG as it is stored with an event; None without encryption: then no image is stored."""
    return vault.seal_file(_context(event_id), jpeg).data if vault.is_on else None


def open_image(vault: Vault, event_id: str, stored: bytes) -> bytes | None:
    """Return the JPEG of an event; None if it cannot be opened, as after a key rotation."""
    with suppress(MasterKeyMissing, SealBroken):
        return vault.open_file(_context(event_id), stored)
    return None


def _context(event_id: str) -> Context:
    return Context("event image", event_id, ("events",))
