"""API keys as callers manage them: nobody can grant or revoke more than their own key allows."""

from datetime import UTC, datetime

from app.access.key_cache import Access
from app.access.key_store import KeyStore
from app.access.keys import ApiKey, KeyState, NewKey, Principal, Scope
from app.errors import KeyUnknown, RequestInvalid
from app.types import Page


class KeyService:
    """Creates, lists and revokes keys on behalf of a caller with scope `admin`.

    A caller whose key is for some collections manages only keys for no others.
    """

    def __init__(self, store: KeyStore, access: Access) -> None:
        self._store = store
        self._access = access

    def create(self, caller: Principal, key: NewKey) -> tuple[ApiKey, str]:
        """Create a key and return it with its secret; this process accepts it at once.

        Raises GrantForbidden, KeyExists, and RequestInvalid if the key would have expired already.
        """
        if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
            raise RequestInvalid.at("expires_at", "expires_at is in the past")
        made = self._store.create(caller.granted(key))
        self._access.refresh()
        return made

    def create_first(self, key: NewKey) -> tuple[ApiKey, str]:
        """Create the first key of the service, after which every request needs one.

        Raises KeyMissing if a key exists or has existed, and RequestInvalid unless this key can manage all others.
        """
        is_lasting = Scope.ADMIN in key.scopes and key.collections is None and key.expires_at is None
        if not is_lasting:
            detail = (
                "the first key must have scope admin for all collections and must not expire; create the others with it"
            )
            raise RequestInvalid.at("scopes", detail)
        made = self._store.create(key, must_be_first=True)
        self._access.refresh()
        return made

    def page(self, caller: Principal, *, state: KeyState | None = None, after: int, limit: int) -> Page[ApiKey]:
        """Return a page of the keys, oldest first, only those in a state if given."""
        now = datetime.now(UTC)
        found = [
            (number, key)
            for number, key in self._store.numbered()
            if number > after and caller.may_manage(key.collections) and state in {None, key.state(now)}
        ]
        is_last = len(found) <= limit
        return Page([key for _, key in found[:limit]], None if is_last else found[limit - 1][0])

    def get(self, caller: Principal, key_id: str) -> ApiKey:
        """Return a key; raises KeyUnknown, also if the caller may not manage it."""
        for key in self._store.all():
            if key.key_id == key_id and caller.may_manage(key.collections):
                return key
        raise KeyUnknown(f"no key has the id {key_id!r}")

    def revoke(self, caller: Principal, key_id: str) -> ApiKey:
        """Revoke a key; this process refuses it at once, the others within a second.

        Raises KeyUnknown, also if it was revoked before, and LastAdminKey.
        """
        self.get(caller, key_id)
        revoked = self._store.revoke_unless_last(key_id)
        self._access.refresh()
        return revoked
