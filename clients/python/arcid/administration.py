"""API keys, the caller and the audit trail, with the names of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

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
    is_session: bool
    keys_required: bool
    can_create_keys: bool


@dataclass(frozen=True, slots=True)
class AuditLine(Value):
    """A line of the audit trail. `subject` is the object of the action: a person's id, a key's name."""

    seq: int
    at: datetime
    actor: str
    key_id: str | None
    request_id: str | None
    action: str
    collection: str | None
    subject: str | None
    detail: Mapping[str, Any]
    previous: str
    sha256: str


@dataclass(frozen=True, slots=True)
class AuditPage(Value):
    """Lines of the audit trail, newest first; `unreadable` lines of this page were tampered with."""

    lines: tuple[AuditLine, ...]
    unreadable: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class TrailBreak(Value):
    """A place where the audit trail differs from what was written."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class TrailReport(Value):
    """Result of a verification. A copy of `anchor` kept elsewhere proves later that nothing before it changed."""

    is_unbroken: bool
    lines: int
    anchor: str
    broken: int
    breaks: tuple[TrailBreak, ...]


@dataclass(frozen=True, slots=True)
class Backup(Value):
    """A backup of the database. `arcid_version` and `revision` are None if the file cannot be read."""

    name: str
    size: int
    created_at: datetime
    arcid_version: str | None
    revision: str | None


@dataclass(frozen=True, slots=True)
class Backups(Value):
    """The backups, newest first, and their folder on the machine of the service."""

    backups: tuple[Backup, ...]
    folder: str
