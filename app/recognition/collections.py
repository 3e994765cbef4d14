"""Collections as callers see them: listed, made, changed and deleted."""

from collections.abc import Collection as AnyOf
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.errors import RequestInvalid
from app.identities.collections import Collections
from app.identities.listing import Listing
from app.identities.records import Page
from app.identities.store import IdentityStore
from app.identities.values import Collection, Practice
from app.recognition.gallery import Gallery


@dataclass(frozen=True, slots=True)
class Usual:
    """What a new collection has when nothing else is said, and what it can have; `name` is always there."""

    name: str
    practice: Practice
    index_kinds: frozenset[str]


class CollectionService:
    """Collections of whatever network are listed, changed and deleted; new ones are bound to the running one."""

    def __init__(
        self, gallery: Gallery, store: IdentityStore, collections: Collections, listing: Listing, usual: Usual
    ) -> None:
        self._gallery = gallery
        self._store = store
        self._collections = collections
        self._listing = listing
        self._usual = usual

    def page(self, *, after: int, limit: int) -> Page[Collection]:
        """Return a page of all collections."""
        return self._listing.collections(after=after, limit=limit)

    def get(self, name: str) -> Collection:
        """Return a collection; raises CollectionUnknown."""
        return self._store.collection(name)

    def create(self, name: str, practice: Mapping[str, Any], index_kind: str | None) -> Collection:
        """Create an empty collection; `practice` has the fields of `Practice` that are not as usual.

        Raises CollectionExists, and RequestInvalid for an index that is not to be had here.
        """
        if index_kind is not None and index_kind not in self._usual.index_kinds:
            kinds = ", ".join(sorted(self._usual.index_kinds))
            detail = f"the index {index_kind} is not to be had here; there are {kinds}"
            raise RequestInvalid(detail, [{"field": "index", "detail": detail}])
        return self._gallery.create(name, replace(self._usual.practice, **practice), index_kind)

    def change(self, name: str, practice: Mapping[str, Any], versions: AnyOf[str] | None) -> Collection:
        """See `Collections.change`."""
        return self._collections.change(name, practice, versions)

    def delete(self, name: str) -> None:
        """Delete a collection with everything in it; the usual one is there again at once, new and empty.

        Raises CollectionUnknown.
        """
        self._gallery.drop(self._store.collection(name), self._collections.delete)
        if name == self._usual.name:
            self._gallery.ensure(name, self._usual.practice)
