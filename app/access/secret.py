"""The format of an API key, and its hash. Pure.

A key has 256 random bits, which nobody can guess, so one SHA-256 is enough. Slow hashes are for passwords.
"""

import hashlib
import re
import secrets

_RANDOM_BYTES = 32
_SECRET = re.compile(r"arcid_([0-9a-f]{8})_[A-Za-z0-9_-]{43,128}")


def new_secret() -> tuple[str, str]:
    """Return a key's public id and the whole key, `arcid_<id>_<secret>`."""
    key_id = secrets.token_hex(4)
    return key_id, f"arcid_{key_id}_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def id_of(secret: str) -> str | None:
    """Return the public id of a key that was generated elsewhere; None if it is malformed or too short."""
    found = _SECRET.fullmatch(secret)
    return found[1] if found else None


def sha256_of(secret: str) -> str:
    """Return the hash that is stored instead of the key, and by which the key is looked up."""
    return hashlib.sha256(secret.encode()).hexdigest()
