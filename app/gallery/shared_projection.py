"""The projection onto an index that all replicas share, such as the distributed engine's."""

from collections.abc import Callable

import numpy as np

from app.gallery.index.protocol import VectorIndex
from app.gallery.index_projection import Projection
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.shared_revisions import FeedProgress, SharedIndexes
from app.gallery.store.values import Collection
from app.observability.logs import get_logger

_log = get_logger(__name__)


class SharedProjection(Projection):
    """An index that all replicas share; any replica that finds it behind updates it.

    Its revision is stored in the database, and the row is locked during an update, so changes arrive in order. If a
    replica dies during an update, the revision stays as it was and the next replica repeats the update.
    """

    def __init__(
        self,
        collection: Collection,
        store: IdentityStore,
        log: ChangeLog,
        *,
        shared: SharedIndexes,
        index: VectorIndex,
        drop: Callable[[], None] | None = None,
    ) -> None:
        """`shared` locks the update of the index; `drop` removes it from the engine."""
        super().__init__(collection, store, log)
        self._shared = shared
        self._index = index
        self._drop = drop

    @property
    def index(self) -> VectorIndex:
        """See `Projection`."""
        return self._index

    def revision(self) -> int:
        """See `Projection`."""
        return self._shared.revision(self._collection, self._index.kind)

    def open(self) -> None:
        """See `Projection`."""
        self._feed()

    def catch_up(self, target: int) -> None:
        """See `Projection`."""
        if not self._is_current(target):
            self._feed(target)
            self._is_current(target)

    def rebuild(self) -> None:
        """See `Projection`: add all enrolled faces again and remove all others."""
        with self._applying, self._shared.feeding(self._collection, self._index.kind) as progress:
            progress.revision = self._refill(progress)

    def save(self) -> None:
        """See `Projection`: the engine keeps its own data."""

    def close(self) -> None:
        """See `Projection`."""
        self._index.close()

    def drop(self) -> None:
        """See `Projection`: remove the collection from the engine."""
        with self._applying:
            if self._drop is not None:
                self._drop()
            self._index.close()

    def _feed(self, target: int | None = None) -> None:
        """Apply new changes, unless another replica has already reached the revision `target`."""
        with self._applying, self._shared.feeding(self._collection, self._index.kind) as progress:
            if target is not None and progress.revision >= target:
                return
            tail = self._log.since(self._collection, progress.revision) if progress.revision else None
            if tail is not None:
                self._apply(self._index, tail, after_each=progress.keep_alive)
                progress.revision = tail.revision
                return
            progress.revision = self._refill(progress)

    def _refill(self, progress: FeedProgress) -> int:
        """Add all enrolled faces, remove all others, and return the revision read at the start."""
        revision = self._log.revisions()[self._collection.key]
        kept = [np.empty(0, np.int64)]
        for keys, vectors, owners in self._store.templates(self._collection):
            self._index.add(keys, vectors, owners=owners)
            kept.append(keys)
            progress.keep_alive()
        foreign = np.setdiff1d(self._index.keys(), np.concatenate(kept))
        if len(foreign):
            self._index.remove(foreign)
        _log.info("index.built", collection=self._collection.name, kind=self._index.kind, faces=self._index.count())
        return revision
