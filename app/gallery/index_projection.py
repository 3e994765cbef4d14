"""Projections: a collection's index with the revision that it contains, updated by the change log.

House rule: the database is the truth, an index is a disposable projection of it.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from app.database.cipher import Sealer
from app.disk import delete_tree
from app.errors import CollectionUnknown, IndexUnusable, StorageNotWritable
from app.gallery.index.protocol import LocalIndex, VectorIndex
from app.gallery.index.storage.files import MANIFEST
from app.gallery.index.storage.snapshot import purge_all, purge_keys
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import ChangeBatch, Collection, Templates
from app.observability.logs import get_logger
from app.observability.stages import note
from app.types import Keys

_log = get_logger(__name__)
_NOTED = 1000  # revisions whose number of deleted files is remembered

LONGEST_LAG = 10.0
"""Seconds that an index may be behind the database; then searches catch up first, and the replica is not ready."""


class Projection(ABC):
    """Base of all projections: follow the change log, or rebuild if it does not reach back far enough."""

    def __init__(self, collection: Collection, store: IdentityStore, log: ChangeLog) -> None:
        self._collection = collection
        self._store = store
        self._log = log
        self._applying = threading.RLock()
        self._current_at = time.monotonic()

    @property
    def uid(self) -> str:
        """The collection's uid, which changes with its network."""
        return self._collection.uid

    @property
    @abstractmethod
    def index(self) -> VectorIndex:
        """The index that searches use."""

    @abstractmethod
    def revision(self) -> int:
        """Return the revision that the index contains; later changes may be in it too."""

    @abstractmethod
    def open(self) -> None:
        """Open the index: from a snapshot and the change log, otherwise from the database."""

    def prepare(self, blocks: Iterable[Templates]) -> None:  # noqa: B027 - an engine is fed when it is opened
        """Fill the index in advance with the future templates, so that `open` has little to do.

        `blocks` yields a template of each face at the collection's revision; later faces may be left out.
        """

    @abstractmethod
    def catch_up(self, target: int) -> None:
        """Bring the index to a committed revision, or beyond.

        Raises CollectionSwitched if the collection has moved to another network.
        """

    def advance(self, target: int, added: Templates) -> None:
        """Bring the index to the revision `target`, which only added these templates."""
        del added
        self.catch_up(target)

    @abstractmethod
    def rebuild(self) -> None:
        """Rebuild the index from the database; searches keep using the old one."""

    @abstractmethod
    def save(self) -> None:
        """Save a snapshot for a quick next start, if the index has snapshots."""

    @abstractmethod
    def close(self) -> None:
        """Release threads and connections."""

    @abstractmethod
    def drop(self) -> None:
        """Close the index of a deleted collection and delete its stored data. Can be repeated."""

    def purged_files(self, revision: int) -> int | None:
        """Return the number of snapshot files deleted for a revision's removed faces; None if some may be left."""
        del revision
        return 0

    def purge(self, keys: Keys) -> None:
        """Delete the stored data of removed faces, for a collection that is not served."""
        del keys

    def seconds_behind(self, target: int) -> float:
        """Return for how many seconds the index has been behind the revision `target`; 0 if it is not."""
        return time.monotonic() - self._current_at if self.revision() < target else 0.0

    def limit_lag(self, target: int) -> None:
        """Catch up if the index has been behind for too long, because the follower fails; otherwise note its age."""
        behind = self.seconds_behind(target)
        if behind >= LONGEST_LAG:
            self.catch_up(target)
        elif behind:
            note("lag", behind)

    def _is_current(self, target: int) -> bool:
        """Return whether the index contains a revision, and remember the time."""
        if self.revision() < target:
            return False
        self._current_at = time.monotonic()
        return True

    def _apply(self, index: VectorIndex, tail: ChangeBatch, *, after_each: Callable[[], None] | None = None) -> None:
        if len(tail.removed):
            index.remove(tail.removed)
        for keys, vectors, owners in self._store.templates_of(tail.added.tolist(), self._collection):
            index.add(keys, vectors, owners=owners)
            if after_each is not None:
                after_each()


def purge_stale(folder: Path, store: IdentityStore) -> int:
    """Delete the snapshots below `folder` of deleted collections and of previous networks; return the number of files.

    A process that dies between a deletion or switch and the end of `drop` leaves them, with templates that no erasure
    reaches any more. Call it before the indexes are opened. Raises OSError if a file cannot be deleted.
    """
    # The folders first: one of a collection that is created from here on is not among them.
    found = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    current = {each.uid for each in store.collections()} if found else set()
    return sum(purge_all(path) for path in found if path.name not in current)


class LocalProjection(Projection):
    """An index in this process, with snapshots in `folder`, if given."""

    def __init__(
        self,
        collection: Collection,
        store: IdentityStore,
        log: ChangeLog,
        *,
        new_index: Callable[[int], LocalIndex],
        folder: Path | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        super().__init__(collection, store, log)
        self._new_index = new_index
        self._folder = folder
        self._origin = SnapshotOrigin(collection.model, collection.uid, sealer)
        self._index = new_index(collection.dimension)
        self._revision = 0
        self._saved: int | None = None
        self._purged_files: dict[int, int | None] = {}
        self._is_broken = False
        self._saving = threading.Lock()

    @property
    def index(self) -> VectorIndex:
        """See `Projection`; after a failed change, the index is rebuilt first."""
        if self._is_broken:
            with self._applying:
                if self._is_broken:
                    self._rebuild()
        return self._index

    def revision(self) -> int:
        """See `Projection`."""
        return self._revision

    def prepare(self, blocks: Iterable[Templates]) -> None:
        """See `Projection`; later writes come from the change log."""
        for keys, vectors, owners in blocks:
            self._index.add(keys, vectors, owners=owners)
        # Not a revision read here: `blocks` may have passed a new face before that got its template.
        self._revision = self._collection.revision

    def open(self) -> None:
        """See `Projection`."""
        with self._applying:
            if not self._revision and not self._restored():
                self._rebuild()
            self._follow()
            self._current_at = time.monotonic()

    def catch_up(self, target: int) -> None:
        """See `Projection`."""
        if not self._is_current(target):
            with self._applying:
                if not self._is_current(target):
                    self._follow()
                    self._is_current(target)

    def advance(self, target: int, added: Templates) -> None:
        """See `Projection`; nothing is read if this process wrote last."""
        with self._applying:
            if self._revision != target - 1:
                self.catch_up(target)
                return
            try:
                self._index.add(added.keys, added.vectors, owners=added.owners)
            except (RuntimeError, MemoryError):
                self._break()
            self._revision = target

    def rebuild(self) -> None:
        """See `Projection`."""
        with self._applying:
            self._rebuild()

    def save(self) -> None:
        """See `Projection`. It does not block searches and writes."""
        # The revision first: it is set after the index has the changes, or is known to be broken.
        revision = self._revision
        with self._saving:
            if self._folder is None or self._is_broken or self._saved == revision:
                return
            # A removal from here on records its purge after this save, which may still write the faces.
            purged_files = [each for each, files in self._purged_files.items() if files is None]
            try:
                self._index.save(self._folder, self._origin, revision)
            except OSError as error:
                self._report("index.save_failed", error)
            else:
                self._saved = revision
                self._purged_files |= dict.fromkeys(purged_files, 0)

    def close(self) -> None:
        """See `Projection`."""
        self._index.close()

    def drop(self) -> None:
        """See `Projection`: delete the folder of the snapshots."""
        with self._applying, self._saving:
            folder, self._folder = self._folder, None
            self._index.close()
        if folder is not None:
            delete_tree(folder)

    def _restored(self) -> bool:
        """Load the snapshot of this collection and model, unless it is missing or ahead of the database."""
        if self._folder is None:
            return False
        if not (self._folder / MANIFEST).is_file():
            _log.info("index.snapshot_missing", collection=self._collection.name)
            return False
        try:
            restored = self._index.load(self._folder, self._origin)
        except IndexUnusable as error:
            _log.info("index.snapshot_ignored", collection=self._collection.name, reason=str(error))
            return False
        if self._log.since(self._collection, restored.revision) is None:
            _log.info("index.snapshot_ignored", collection=self._collection.name, reason="the log does not reach it")
            return False
        for lost in restored.lost:
            self._fill(self._index, first=lost.first, last=lost.last)
        self._revision = self._saved = restored.revision
        if restored.lost:
            self._saved = None
        faces, torn = self._index.count(), len(restored.lost)
        _log.info("index.restored", collection=self._collection.name, faces=faces, torn_segments=torn)
        return True

    def _rebuild(self) -> None:
        """Build a new index from the database, then replace the old one."""
        revision = self._log.revisions().get(self._collection.key)
        if revision is None:
            raise CollectionUnknown(self._collection.name)
        index = self._new_index(self._collection.dimension)
        self._fill(index)
        old, self._index = self._index, index
        old.close()
        _log.info("index.built", collection=self._collection.name, kind=index.kind, faces=index.count())
        self._record_purge(revision, self._purge(np.setdiff1d(old.keys(), index.keys())))
        self._revision, self._is_broken, self._saved = revision, False, None

    def _follow(self) -> None:
        tail = self._log.since(self._collection, self._revision)
        if tail is None:
            self._rebuild()
            return
        try:
            self._apply(self._index, tail)
        except (RuntimeError, MemoryError):
            self._break()
        # Before the revision is set: the caller who deleted the faces waits for it.
        self._record_purge(tail.revision, self._purge(tail.removed))
        self._revision = tail.revision

    def _fill(self, index: VectorIndex, *, first: int = 1, last: int | None = None) -> None:
        for keys, vectors, owners in self._store.templates(self._collection, first=first, last=last):
            index.add(keys, vectors, owners=owners)

    def purged_files(self, revision: int) -> int | None:
        """See `Projection`."""
        later = [each for each in self._purged_files if each >= revision]
        return self._purged_files[min(later)] if later else 0

    def purge(self, keys: Keys) -> None:
        """See `Projection`."""
        self._purge(keys)

    def _record_purge(self, revision: int, files: int | None) -> None:
        self._purged_files[revision] = files
        while len(self._purged_files) > _NOTED:
            del self._purged_files[min(self._purged_files)]

    def _purge(self, keys: Keys) -> int | None:
        """Delete snapshot files with removed faces. Return None on failure; the next snapshot then deletes them."""
        if self._folder is None or not len(keys):
            return 0
        self._saved = None
        try:
            return purge_keys(self._folder, keys)
        except OSError as error:
            self._report("index.forget_failed", error)
            return None

    def _report(self, event: str, error: OSError) -> None:
        """Log a failed write: one line if the operator has to act, such as for a full disk, else a traceback."""
        storage = StorageNotWritable.of(error)
        if storage is None:
            _log.exception(event, collection=self._collection.name)
        else:
            _log.error(event, collection=self._collection.name, code=storage.code, reason=storage.reason)

    def _break(self) -> None:
        # The faces are safe in the database; the index is rebuilt before the next search.
        _log.exception("index.change_failed", collection=self._collection.name)
        self._is_broken = True
