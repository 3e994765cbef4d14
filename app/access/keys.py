"""API keys, scopes and callers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.access.rates import Rate
from app.errors import CollectionForbidden, ScopeMissing


class Scope(StrEnum):
    """A permission of a key. `admin` includes all other scopes; no other scope includes another."""

    RECOGNISE = "recognise"
    """Verify and identify people by photos; changes nothing."""
    SEARCH = "search"
    """Search by embedding. Chosen embeddings reveal a template in far fewer requests than photos do."""
    ENROLL = "enroll"
    """Add faces."""
    MANAGE = "manage"
    """View, change and delete the contents of the gallery."""
    METRICS = "metrics"
    """Read the service's metrics, and nothing else."""
    ADMIN = "admin"

    @classmethod
    def _missing_(cls, value: object) -> "Scope | None":
        """Accept the old spelling: stored keys may have it, and callers may still send it."""
        return cls.ENROLL if value == "enrol" else None  # the old spelling


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller and their permissions. `collections` None: all collections."""

    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None
    key_id: str | None = None
    rate: Rate | None = None
    """None, here and in `quota`: the service's setting."""
    quota: Rate | None = None

    @property
    def may_read_templates(self) -> bool:
        """Return whether the caller can read embeddings, and so may see exact similarities (see `similarity_view`)."""
        return self.has(Scope.MANAGE)

    def has(self, scope: Scope) -> bool:
        """Return whether the caller has a scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Raise ScopeMissing if the caller lacks a scope."""
        if not self.has(scope):
            raise ScopeMissing(f"the key has no scope {scope.value!r}")

    def may_use(self, collection: str) -> bool:
        """Return whether the key is for a collection."""
        return self.collections is None or collection in self.collections

    def require_collection(self, collection: str) -> None:
        """Raise CollectionForbidden if the key is not for this collection, whether or not it exists."""
        if not self.may_use(collection):
            raise CollectionForbidden(f"the key is not for collection {collection!r}")

    def require_all_collections(self) -> None:
        """Raise CollectionForbidden if the key is for some collections only."""
        if self.collections is not None:
            raise CollectionForbidden("this covers all collections, and the key is for some of them only")


ANONYMOUS = Principal("anonymous", frozenset(Scope))
"""The caller of a service without keys."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to create."""

    name: str
    scopes: Collection[Scope]
    collections: Collection[str] | None = None
    expires_at: datetime | None = None
    rate: Rate | None = None
    quota: Rate | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key, without its secret. `key_id` is public, and a part of the key."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rate: Rate | None = None
    """None, here and in `quota`: the service's setting."""
    quota: Rate | None = None

    def state(self, now: datetime) -> str:
        """Return "active", "revoked" or "expired"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"
