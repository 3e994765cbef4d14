"""API keys, scopes and callers."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from app.access.rates import Rate
from app.errors import CollectionForbidden, GrantForbidden, ScopeMissing


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


class KeyState(StrEnum):
    """State of a key."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


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
    expires_at: datetime | None = None
    is_session: bool = False
    """Whether a person has signed in, who can do so again: the end of a session does not limit keys that it creates."""

    @property
    def may_read_templates(self) -> bool:
        """Return whether the caller can read embeddings, and so may see exact similarities (see `similarity_view`)."""
        return self.has(Scope.MANAGE)

    @property
    def may_lower_liveness(self) -> bool:
        """Return whether the caller may ask for a weaker check of liveness than a collection's."""
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

    @property
    def default_collection(self) -> str | None:
        """Return the only collection that the key is for; None if there are others."""
        return next(iter(self.collections)) if self.collections is not None and len(self.collections) == 1 else None

    def may_manage(self, collections: Collection[str] | None) -> bool:
        """Return whether a key for these collections (None: all) is for no collection that this key is not for."""
        return self.collections is None or (collections is not None and self.collections.issuperset(collections))

    def granted(self, key: "NewKey") -> "NewKey":
        """Return a key that this caller may create; missing limits are those of the caller's own key.

        Raises GrantForbidden if the new key would be allowed more than the caller.
        """
        key = replace(key, rate=key.rate or self.rate, quota=key.quota or self.quota)
        if beyond := sorted(scope.value for scope in key.scopes if not self.has(scope)):
            raise GrantForbidden(f"the key has no scope {', '.join(beyond)}, so it cannot grant it")
        if not self.may_manage(key.collections):
            raise GrantForbidden(f"the key can create keys only for its own collections: {self._own_collections}")
        if (
            self.expires_at is not None
            and not self.is_session
            and (key.expires_at is None or key.expires_at > self.expires_at)
        ):
            raise GrantForbidden(f"the key expires at {self.expires_at.isoformat()}, and its keys must not outlive it")
        for own, given in ((self.rate, key.rate), (self.quota, key.quota)):
            if own is not None and given is not None and given.is_above(own):
                raise GrantForbidden(f"{given} is above the key's own limit of {own}")
        return key

    @property
    def _own_collections(self) -> str:
        return ", ".join(sorted(self.collections or ()))


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
class NewSession:
    """A session to start. `subject`: the person's permanent id at the OpenID provider; `name` is shown."""

    subject: str
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None


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

    def state(self, now: datetime) -> "KeyState":
        """Return the state at a moment."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.EXPIRED if self.expires_at is not None and self.expires_at <= now else KeyState.ACTIVE

    def is_full_admin(self, now: datetime) -> bool:
        """Return whether this is an active key with scope `admin` for all collections."""
        return Scope.ADMIN in self.scopes and self.collections is None and self.state(now) is KeyState.ACTIVE
