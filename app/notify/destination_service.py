"""Destinations of events as callers manage them: a key manages only those of its collections."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Protocol

from app.errors import CollectionForbidden, DestinationDisabled, DestinationUnknown, RequestInvalid, UrlNotAllowed
from app.notify.delivery import DeliveryRecord, DeliveryState, Sender
from app.notify.delivery_log import DeliveryLog
from app.notify.destination import Destination, DestinationKind, NewDestination
from app.notify.destination_store import DestinationStore
from app.notify.webhook import new_webhook_secret
from app.types import Page


class Caller(Protocol):
    """A caller whose key may be for some collections only (`app.access.keys.Principal`)."""

    def may_manage(self, collections: Collection[str] | None) -> bool:
        """Return whether these collections (None: all) are all among the key's."""


class DestinationService:
    """Manages destinations for callers. A caller does not see destinations of collections beyond the key's."""

    def __init__(self, store: DestinationStore, log: DeliveryLog, senders: Mapping[DestinationKind, Sender]) -> None:
        self._store = store
        self._log = log
        self._senders = senders

    def create(self, caller: Caller, new: NewDestination) -> tuple[Destination, str | None]:
        """Create a destination and return it with its secret (webhooks only), which cannot be read again.

        Raises CollectionForbidden, CollectionUnknown, TooManyDestinations, and RequestInvalid if events cannot be sent
        to the URL.
        """
        _require(caller, new.collections)
        self._store.require_collections(new.collections)
        origin = self._origin(new.kind, new.url)
        secret = new_webhook_secret() if new.kind is DestinationKind.WEBHOOK else None
        return self._store.create(new, origin, secret), secret

    def all(self, caller: Caller) -> list[Destination]:
        """Return the destinations, oldest first."""
        return [each for each in self._store.all() if caller.may_manage(each.collections)]

    def get(self, caller: Caller, destination_id: str) -> Destination:
        """Return a destination; raises DestinationUnknown."""
        found = self._store.get(destination_id)
        if not caller.may_manage(found.collections):
            raise DestinationUnknown(f"no destination has the id {destination_id!r}")
        return found

    def change(
        self, caller: Caller, destination_id: str, changes: Mapping[str, Any], url: str | None = None
    ) -> Destination:
        """Change members of `NewDestination`, and the URL if given; returns and raises as `get` and `create`."""
        found = self.get(caller, destination_id)
        if "collections" in changes:
            _require(caller, changes["collections"])
            self._store.require_collections(changes["collections"])
        address = None if url is None else (url, self._origin(found.kind, url))
        return self._store.change(destination_id, changes, address)

    def delete(self, caller: Caller, destination_id: str) -> None:
        """Delete a destination and its deliveries; raises DestinationUnknown."""
        self.get(caller, destination_id)
        self._store.delete(destination_id)

    def rotate(self, caller: Caller, destination_id: str, previous_for: timedelta) -> tuple[Destination, str]:
        """Replace the secret of a webhook and return the new one; for `previous_for`, events are signed with both.

        Raises DestinationUnknown, and RequestInvalid if the kind has no secret.
        """
        if self.get(caller, destination_id).kind is not DestinationKind.WEBHOOK:
            raise RequestInvalid.at("kind", "only webhooks have a secret; change the URL to change an MQTT password")
        secret = new_webhook_secret()
        return self._store.rotate(destination_id, secret, previous_for), secret

    def test(self, caller: Caller, destination_id: str) -> str:
        """Send a test event and return its id; raises DestinationUnknown, DestinationDisabled."""
        return self._log.test(self._enabled(caller, destination_id))

    def deliveries(
        self, caller: Caller, destination_id: str, *, state: DeliveryState | None = None, after: int, limit: int
    ) -> Page[DeliveryRecord]:
        """Return a page of the deliveries, oldest first; raises DestinationUnknown."""
        return self._log.page(self.get(caller, destination_id), state=state, after=after, limit=limit)

    def replay(self, caller: Caller, destination_id: str, event_id: str | None = None) -> int:
        """Send dead letters again, all or that of one event; return their number.

        Raises DestinationUnknown, DestinationDisabled.
        """
        return self._log.replay(self._enabled(caller, destination_id), event_id)

    def _enabled(self, caller: Caller, destination_id: str) -> Destination:
        found = self.get(caller, destination_id)
        if not found.is_enabled:
            raise DestinationDisabled(f"destination {destination_id} is disabled; enable it first")
        return found

    def _origin(self, kind: DestinationKind, url: str) -> str:
        sender = self._senders.get(kind)
        if sender is None:
            remedy = f"pip install 'arcid[{kind.value}]'"
            raise RequestInvalid.at("kind", f"the library for {kind.value!r} is not installed; run: {remedy}")
        try:
            return sender.origin(url)
        except UrlNotAllowed as error:
            raise RequestInvalid.at("url", str(error)) from error


def _require(caller: Caller, collections: Collection[str] | None) -> None:
    if not caller.may_manage(collections):
        raise CollectionForbidden("the key is for some collections: name only these in `collections`")
