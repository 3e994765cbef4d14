"""From a presented key to who is calling, in microseconds: all keys are in memory, read again every second."""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from app.access.secret import sha256_of
from app.access.store import KeyStore
from app.access.values import ANONYMOUS, Key, Principal
from app.errors import KeyInvalid, KeyMissing

_LONGEST_AGE_S = 1.0
_AGE_ON_MISS_S = 0.1  # a key that is not known may be new; guessing costs the database ten queries a second, no more
_PREFIX = 16  # hexadecimal digits of a hash by which it is looked up; the rest is compared in constant time


@dataclass(frozen=True, slots=True)
class _Entry:
    sha256: str
    key: Key
    principal: Principal


@dataclass(frozen=True, slots=True)
class _Known:
    """All keys, as the database had them at a moment; closed as soon as there was one."""

    entries: Mapping[str, _Entry]
    at: float
    is_closed: bool


class Access:
    """Checks keys. A key that is revoked stops within a second of it.

    As soon as there has been a key, every request needs one: when the last one is revoked or expires, nobody gets in,
    rather than everybody.
    """

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known = _Known({}, -float("inf"), is_closed=False)

    def needs_refresh(self, secret: str | None) -> bool:
        """Say whether the keys have to be read before `secret` can be judged; costs microseconds."""
        known = self._known
        age = self._clock() - known.at
        if age < _AGE_ON_MISS_S or age >= _LONGEST_AGE_S:
            return age >= _LONGEST_AGE_S
        return known.is_closed and bool(secret) and sha256_of(secret or "")[:_PREFIX] not in known.entries

    def refresh(self) -> None:
        """Read all keys; raises DatabaseError's children, and then nobody is let in."""
        at = self._clock()
        found = self._store.by_sha256()
        entries = {sha256[:_PREFIX]: _Entry(sha256, key, _principal(key)) for sha256, key in found.items()}
        self._known = _Known(entries, at, is_closed=bool(entries) or self._known.is_closed)

    def principal(self, secret: str | None) -> Principal:
        """Return who presents this key, after `refresh` where it is needed; raises KeyMissing, KeyInvalid."""
        known = self._known
        if not known.is_closed:
            return ANONYMOUS
        if not secret:
            raise KeyMissing("send an API key, as Authorization: Bearer <key> or as X-Api-Key: <key>")
        sha256 = sha256_of(secret)
        entry = known.entries.get(sha256[:_PREFIX])
        if entry is None or not hmac.compare_digest(entry.sha256, sha256):
            raise KeyInvalid("the API key is not known")
        state = entry.key.state(datetime.now(UTC))
        if state != "active":
            raise KeyInvalid(f"the API key {entry.key.key_id} is {state}")
        return entry.principal

    def admits(self, principal: Principal) -> bool:
        """Whether a caller who was let in would still be, after `refresh`: the key may be revoked or expired since."""
        known = self._known
        if not known.is_closed:
            return principal.key_id is None
        now = datetime.now(UTC)
        return any(
            each.key.key_id == principal.key_id and each.key.state(now) == "active" for each in known.entries.values()
        )


def _principal(key: Key) -> Principal:
    return Principal(key.name, key.scopes, key.collections, key.key_id, key.rate, key.quota)
