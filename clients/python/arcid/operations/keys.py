"""API keys, and the caller's permissions."""

from collections.abc import Sequence
from datetime import datetime

from arcid.administration import Caller, CreatedKey, Key, KeyState, Scope
from arcid.calls import Body, Call, path, value_reader, without_none
from arcid.operations.resource_calls import list_call
from arcid.resources import Page


def me() -> Call[Caller]:
    """Return the permissions of this client's key."""
    return Call("GET", "/me", value_reader(Caller), is_repeatable=True)


def create(
    name: str,
    *,
    scopes: Sequence[Scope],
    collections: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    rate: str | None = None,
    quota: str | None = None,
) -> Call[CreatedKey]:
    """Create a key for these collections (None: all); `rate` is such as `100/minute`, or `none`."""
    members = {
        "name": name,
        "scopes": list(scopes),
        "collections": None if collections is None else list(collections),
        "expires_at": expires_at,
        "rate": rate,
        "quota": quota,
    }
    return Call("POST", "/keys", value_reader(CreatedKey), body=Body(json=without_none(members)))


def page(*, state: KeyState | None = None, limit: int | None = None, cursor: str | None = None) -> Call[Page[Key]]:
    """List the keys, oldest first, one page."""
    return list_call("/keys", "keys", Key, state=state, limit=limit, cursor=cursor)


def get(key_id: str) -> Call[Key]:
    """Return a key."""
    return Call("GET", _path(key_id), value_reader(Key), is_repeatable=True)


def revoke(key_id: str) -> Call[Key]:
    """Revoke a key for good. Raises Conflict if it is the last one with scope `admin` for all collections."""
    return Call("DELETE", _path(key_id), value_reader(Key))


def _path(key_id: str) -> str:
    return path("/keys/{key_id}", key_id=key_id)
