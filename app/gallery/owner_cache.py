"""Cache of the owners of recently found faces."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.gallery.store.enrolled import KeptIdentity, OwnersRead
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection, EnrolledIdentity
from app.types import CollectionKey

_MOST_FACES = 20_000  # that are kept, of all collections together: some 50 MB


@dataclass(frozen=True, slots=True)
class _KeptOwners:
    """Owners by the keys of their faces, read at one `state` (uid, revision) of their collection."""

    state: tuple[str, int]
    by_key: dict[int, KeptIdentity] = field(default_factory=dict)


class OwnerCache:
    """Current owners of faces; thread-safe. Queries only for what may have changed.

    Every write of a collection increments its revision, and a switch to another network changes its uid, so owners
    that were read in the present state are the stored ones. With SQLite, asking for the state needs no query
    (`CollectionReader`). All owners of an answer are of one state.
    """

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._kept: dict[CollectionKey, _KeptOwners] = {}
        self._lock = threading.Lock()

    def owners(self, collection: Collection, keys: Iterable[int]) -> list[EnrolledIdentity]:
        """Return the unexpired owners of these faces, each once and with all readable faces, oldest first."""
        wanted = set(keys)
        kept = self._kept.get(collection.key)
        state = self._store.reader.state(collection)
        by_key = kept.by_key if kept is not None and kept.state == state else {}
        known = {key: by_key[key] for key in wanted if key in by_key}
        missing = wanted - known.keys()
        now = datetime.now(UTC)
        if not missing:
            return _people(known.values(), now)
        read = self._store.read_owners(missing)
        if known and read.state != state:
            known, read = {}, self._store.read_owners(wanted)
        self._keep(collection.key, read)
        return _people([*known.values(), *read.owners], now)

    def forget(self, collection: Collection, *, before: int) -> None:
        """Drop what was read at revisions lower than `before`: it may be of people who are erased now."""
        with self._lock:
            kept = self._kept.get(collection.key)
            if kept is not None and (kept.state[0] != collection.uid or kept.state[1] < before):
                del self._kept[collection.key]

    def drop(self, key: CollectionKey) -> None:
        """Drop what was read of a deleted collection."""
        with self._lock:
            self._kept.pop(key, None)

    def _keep(self, key: CollectionKey, read: OwnersRead) -> None:
        if read.state is None:
            return
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.state[0] == read.state[0] and kept.state[1] > read.state[1]:
                return
            if kept is None or kept.state != read.state:
                kept = self._kept[key] = _KeptOwners(read.state)
            faces = sum(len(each.by_key) for each in self._kept.values())
            if faces + sum(len(each.identity.keys) for each in read.owners) > _MOST_FACES:
                self._kept.clear()
                return
            for owner in read.owners:
                kept.by_key.update(dict.fromkeys(owner.identity.keys.tolist(), owner))


def _people(owners: Iterable[KeptIdentity], now: datetime) -> list[EnrolledIdentity]:
    by_key = {each.key: each.identity for each in owners if not each.is_over(now)}
    return [by_key[key] for key in sorted(by_key)]
