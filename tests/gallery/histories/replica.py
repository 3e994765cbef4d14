"""A simulated replica: the gallery with its workers, on an engine whose statements are pauses."""

import shutil
from contextlib import suppress
from datetime import timedelta
from errno import ENOSPC
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np

from app.database.data_version import DataVersion
from app.errors import CollectionUnknown, IndexUnusable
from app.gallery.gallery import Gallery
from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex
from app.gallery.index.protocol import LocalIndex
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.gallery.index_projection import LocalProjection, purge_stale
from app.gallery.replication import ReplicationWorker
from app.gallery.retention_worker import RetentionWorker
from app.gallery.store.bulk import BulkWriter
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.model_migration import MigrationProgress, MigrationRepository, NextTemplates
from app.gallery.store.retention import Retention
from app.gallery.store.subjects import SubjectRepository
from app.gallery.store.values import Collection
from app.recognition.migration import MigrationService
from app.recognition.model_registry import ServedModel
from app.types import Floats, Keys
from tests.gallery.histories.databases import HistoryDatabase
from tests.gallery.histories.history import MODELS, PEOPLE
from tests.gallery.histories.scheduler import Scheduler
from tests.gallery.histories.vectors import vector_of

NEVER = 1e9


class Faults:
    """Faults of indexes: chances of a failed change and of a failed save."""

    def __init__(self, scheduler: Scheduler, *, change: float, save: float, is_growing: bool) -> None:
        self._scheduler, self._change, self._save = scheduler, change, save
        self.is_growing = is_growing

    def stop(self) -> None:
        """Let all succeed from here on."""
        self._change = self._save = 0

    def pause(self, at: str) -> None:
        self._scheduler.pause(at)

    def change(self) -> None:
        self._scheduler.pause("index")
        if self._scheduler.rng.random() < self._change:
            raise MemoryError

    def save(self) -> None:
        self._scheduler.pause("save")
        if self._scheduler.rng.random() < self._save:
            raise OSError(ENOSPC, "the disk is full")

    def new_index(self, dimension: int) -> LocalIndex:
        """Return an index with these faults, small enough to change its kind and its blocks."""
        kind: Any = _Growing if self.is_growing else _Flat
        options = {"limit": 16} if self.is_growing else {}
        index = kind(dimension, block_rows=4, **options)
        index.faults = self
        return cast("LocalIndex", index)


class _Faulty:
    faults: Faults

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        self.faults.change()
        super().add(keys, vectors, owners=owners)  # type: ignore[misc]

    def remove(self, keys: Keys) -> None:
        self.faults.change()
        super().remove(keys)  # type: ignore[misc]

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        self.faults.pause("search")
        found: tuple[Floats, Keys] = super().search(vectors, k, among=among)  # type: ignore[misc]
        self.faults.pause("found")
        return found

    def save(self, folder: Path, origin: Any, revision: int) -> None:
        self.faults.save()
        super().save(folder, origin, revision)  # type: ignore[misc]


class _Flat(_Faulty, FlatIndex):
    pass


class _Growing(_Faulty, GrowingIndex):
    pass


class _AnyLock:
    """A task lock that every process holds: the lock of a dead process ends by the clock, and so may a slow one's."""

    def take(self, *_: object) -> bool:
        return True


class _NoScrubber:
    is_pending = False

    def scrub(self) -> bool:
        return True


class _Registry:
    models = tuple(MODELS)

    def named(self, model: str) -> ServedModel:
        return ServedModel(model, model, MODELS[model], "", 0.5)

    def detector_of(self, _: Collection) -> str:
        return ""

    def analysis_of(self, _: Collection) -> None:
        return None


class HistoryMigration(MigrationService):
    """The migration service, whose embeddings are known instead of computed from crops."""

    def _embed(self, collection: Collection, network: ServedModel, *_: object) -> MigrationProgress:
        while names := self._work.without_crop(collection, network.model):
            vectors = np.stack([vector_of(each.face_id, network.model) for each in names])
            ones = np.ones(len(names), np.float32)
            keys = np.array([each.key for each in names], np.int64)
            self._work.put(collection, network.model, NextTemplates(keys, vectors, ones, ones))
        return self._work.standing(collection, network.model)


class Replica:
    """A replica; `process` is replaced when it starts again, and `gallery` is None while it does not run."""

    def __init__(self, name: str, database: HistoryDatabase, folder: Path, faults: Faults) -> None:
        self.name = name
        self.engine = database.engine(name)
        self.process = object()
        self.gallery: Gallery | None = None
        self.known = 0
        self.seen: list[frozenset[str]] = []
        self._database, self._faults = database, faults
        self.folder = folder / name
        self.log = ChangeLog(self.engine)
        self.editing = EditingRepository(self.engine)
        self.subjects = SubjectRepository(self.engine)
        self.bulk = BulkWriter(self.engine)
        self.store = IdentityStore(self.engine)

    def start(self) -> None:
        """Start: open the indexes from snapshots, the change log or the database."""
        revision = self._database.revision()
        gallery = Gallery(self.store, self._projection, model="net-a", dimension=4, further=MODELS)
        gallery.ensure(PEOPLE)
        purge_stale(self.folder, self.store)
        gallery.open()
        self.worker = ReplicationWorker(
            gallery,
            self.log,
            every=1,
            save_every=NEVER,
            keep=timedelta(days=7),
            version=DataVersion(self.engine),
        )
        work = MigrationRepository(self.engine, None)
        registry: Any = _Registry()
        self.migration = HistoryMigration(gallery, work, registry, lambda _: None, threads=1, has_crops=True)  # type: ignore[arg-type, return-value]
        self.gallery, self.known, self.seen = gallery, revision, []

    def sweeper(self, gallery: Any) -> RetentionWorker:
        """Return a retention worker that erases through a gallery."""
        lock: Any = _AnyLock()
        scrubber: Any = _NoScrubber()
        return RetentionWorker(gallery, Retention(self.engine), lock, scrubber, every=3600)

    def crash(self) -> None:
        """Forget what is in memory; see `Scheduler.kill` for its tasks."""
        self.gallery, self.process = None, object()

    def damage(self, choice: int) -> None:
        """Damage one file of its snapshots."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        if files:
            path = files[choice % len(files)]
            content = bytearray(path.read_bytes())
            if content:
                content[choice % len(content)] ^= 0x55
                path.write_bytes(bytes(content))

    def _projection(self, collection: Collection) -> LocalProjection:
        return LocalProjection(
            collection, self.store, self.log, new_index=self._faults.new_index, folder=self.folder / collection.uid
        )

    def saved(self) -> dict[str, set[int]]:
        """Return the keys in its snapshots, by the uid of their collection."""
        return {path.name: self._keys_in(path) for path in self.folder.iterdir()} if self.folder.is_dir() else {}

    def _keys_in(self, folder: Path) -> set[int]:
        for kind, model in product((FlatIndex, CompressedIndex), MODELS):
            index = kind(MODELS[model], block_rows=4)
            with suppress(IndexUnusable):
                index.load(folder, SnapshotOrigin(model, folder.name))
                return set(index.keys().tolist())
        return set()

    def collection(self) -> Collection:
        """Return the collection; the replica runs."""
        if self.gallery is None:
            raise CollectionUnknown(PEOPLE)
        return self.gallery.require(PEOPLE)

    def remove(self) -> None:
        """Delete its files."""
        shutil.rmtree(self.folder, ignore_errors=True)
