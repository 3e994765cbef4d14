"""Keys, scopes, and who is calling."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.access.rates import Rate
from app.errors import CollectionForbidden, ScopeMissing


class Scope(StrEnum):
    """What a key may be used for. `admin` stands for all of them; the others do not contain each other."""

    RECOGNISE = "recognise"
    """Ask who somebody is, with photos; changes nothing."""
    SEARCH = "search"
    """Ask whom an embedding resembles: with chosen embeddings, far fewer requests tell a template than with photos."""
    ENROLL = "enroll"
    """Add faces."""
    MANAGE = "manage"
    """See, change and delete what is in the gallery."""
    METRICS = "metrics"
    """Read the service's metrics, and nothing else."""
    ADMIN = "admin"

    @classmethod
    def _missing_(cls, value: object) -> "Scope | None":
        """Accept the old spelling: keys that were stored before have it, and callers may still send it."""
        return cls.ENROLL if value == "enrol" else None  # the old spelling


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling and what they may do; `collections` is None for all of them."""

    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None
    key_id: str | None = None
    rate: Rate | None = None
    """None: as the service's setting, like `quota`."""
    quota: Rate | None = None

    @property
    def may_read_templates(self) -> bool:
        """Say whether `embedding` is readable anyway; all others see similarities as `similarity_view` says."""
        return self.has(Scope.MANAGE)

    def has(self, scope: Scope) -> bool:
        """Say whether this may be done."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Raise ScopeMissing unless this may be done."""
        if not self.has(scope):
            raise ScopeMissing(f"the key has no scope {scope.value!r}")

    def may_use(self, collection: str) -> bool:
        """Say whether a collection is one of those that the key is for."""
        return self.collections is None or collection in self.collections

    def require_collection(self, collection: str) -> None:
        """Raise CollectionForbidden unless the key is for this collection; whether there is one is not told."""
        if not self.may_use(collection):
            raise CollectionForbidden(f"the key is not for collection {collection!r}")

    def require_all_collections(self) -> None:
        """Raise CollectionForbidden if the key is for some collections only."""
        if self.collections is not None:
            raise CollectionForbidden("this covers all collections, and the key is for some of them only")


ANONYMOUS = Principal("anonymous", frozenset(Scope))
"""Whoever calls a service that has no keys."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be."""

    name: str
    scopes: Collection[Scope]
    collections: Collection[str] | None = None
    expires_at: datetime | None = None
    rate: Rate | None = None
    quota: Rate | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored: everything but the key itself. `key_id` is public, a part of the key."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rate: Rate | None = None
    """None: as the service's setting, like `quota`."""
    quota: Rate | None = None

    def state(self, now: datetime) -> str:
        """Return "active", "revoked" or "expired"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"
