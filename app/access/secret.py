"""What a key looks like and how it is stored; pure.

A key has 256 random bits. Nobody can try them out, so one SHA-256 is all the hashing that it needs: slow hashes are for
passwords, which people choose.
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
    """Return the public id of a key that was made elsewhere; None when it does not look like a key or is too short."""
    found = _SECRET.fullmatch(secret)
    return found[1] if found else None


def sha256_of(secret: str) -> str:
    """Return what is stored of a key, and what it is looked up by."""
    return hashlib.sha256(secret.encode()).hexdigest()
