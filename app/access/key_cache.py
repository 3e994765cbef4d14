"""A cache of API keys and sessions: authenticates a caller in microseconds, and reads all again every second."""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from app.access.key_store import KeyStore
from app.access.keys import ANONYMOUS, ApiKey, Principal
from app.access.secret import id_of, sha256_of
from app.access.sessions import SessionStore
from app.errors import KeyInvalid, KeyMissing

_LONGEST_AGE_S = 1.0
_AGE_ON_MISS_S = 0.1  # an unknown key may be new; so guessing costs the database at most ten queries a second
_PREFIX = 16  # hexadecimal digits of the hash for the lookup; the rest is compared in constant time


@dataclass(frozen=True, slots=True)
class _Entry:
    sha256: str
    key: ApiKey
    principal: Principal


@dataclass(frozen=True, slots=True)
class _Known:
    """All keys, as read from the database at one moment. `is_closed`: a key exists or has existed."""

    entries: Mapping[str, _Entry]
    at: float
    is_closed: bool


class Access:
    """Authenticates callers by API key or session. A revoked key stops working within a second.

    Once a key has been created, every request needs one. If the last key is revoked or expires, all requests are
    refused.
    """

    def __init__(
        self, store: KeyStore, clock: Callable[[], float] = time.monotonic, *, sessions: SessionStore | None = None
    ) -> None:
        """With `sessions`, people can sign in, so every request needs a key or a session from the start."""
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._known = _Known({}, -float("inf"), is_closed=False)

    def needs_refresh(self, secret: str | None) -> bool:
        """Return whether `refresh` must be called before `principal` can check `secret`."""
        known = self._known
        age = self._clock() - known.at
        if age < _AGE_ON_MISS_S or age >= _LONGEST_AGE_S:
            return age >= _LONGEST_AGE_S
        return known.is_closed and bool(secret) and sha256_of(secret or "")[:_PREFIX] not in known.entries

    def refresh(self) -> None:
        """Read all keys. Raises a DatabaseError if that fails; refuse all callers then."""
        at = self._clock()
        sessions = {} if self._sessions is None else self._sessions.by_sha256()
        found = {**self._store.by_sha256(), **sessions}
        entries = {
            sha256[:_PREFIX]: _Entry(sha256, key, _principal(key, is_session=sha256 in sessions))
            for sha256, key in found.items()
        }
        is_closed = bool(entries) or self._sessions is not None or self._known.is_closed
        self._known = _Known(entries, at, is_closed=is_closed)

    def principal(self, secret: str | None) -> Principal:
        """Return the caller with this key; call `refresh` first if needed.

        Raises KeyMissing if a key is needed and missing, and KeyInvalid if it is unknown or not active.
        """
        known = self._known
        if not known.is_closed:
            return ANONYMOUS
        if not secret:
            raise KeyMissing("send an API key, as Authorization: Bearer <key> or as X-Api-Key: <key>")
        sha256 = sha256_of(secret)
        entry = known.entries.get(sha256[:_PREFIX])
        if entry is None or not hmac.compare_digest(entry.sha256, sha256):
            raise KeyInvalid(_unknown(secret))
        state = entry.key.state(datetime.now(UTC))
        if state != "active":
            raise KeyInvalid(f"the API key {entry.key.key_id} is {state}")
        return entry.principal

    def admits(self, principal: Principal) -> bool:
        """Return whether an authenticated caller still has an active key. Call `refresh` first."""
        known = self._known
        if not known.is_closed:
            return principal.key_id is None
        now = datetime.now(UTC)
        return any(
            each.key.key_id == principal.key_id and each.key.state(now) == "active" for each in known.entries.values()
        )


def _unknown(secret: str) -> str:
    if id_of(secret) is not None:
        return "the API key is not known"
    return "the API key is not known; a key looks like arcid_<id>_<secret>, and its id alone is not enough"


def _principal(key: ApiKey, *, is_session: bool) -> Principal:
    return Principal(
        key.name, key.scopes, key.collections, key.key_id, key.rate, key.quota, key.expires_at, is_session=is_session
    )
