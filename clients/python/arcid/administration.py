"""API keys and the caller, with the names of the API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from arcid.parsing import Value

Scope = Literal["recognise", "search", "enroll", "manage", "metrics", "admin"]
KeyState = Literal["active", "revoked", "expired"]


@dataclass(frozen=True, slots=True)
class Key(Value):
    """An API key without its secret. `collections` is None for all; `rate` and `quota` for the service's settings."""

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...] | None
    rate: str | None
    quota: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    state: KeyState


@dataclass(frozen=True, slots=True)
class CreatedKey(Key):
    """A new API key; the service does not store `secret` and never shows it again."""

    secret: str


@dataclass(frozen=True, slots=True)
class Caller(Value):
    """The permissions of this client. `scopes` has all of them: `admin` includes the others.

    `key_id` is None if the service has no keys.
    """

    key_id: str | None
    name: str
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...] | None
    expires_at: datetime | None
    rate: str | None
    quota: str | None
    keys_required: bool
    can_create_keys: bool
