"""The gallery of all enrolled templates: writes go to the database, then to the index; searches use the index."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import numpy as np

from app.errors import (
    CollectionExists,
    CollectionSwitched,
    CollectionUnknown,
    IndexUnavailable,
    IndexUnusable,
)
from app.gallery.identity_search import require_model, search_identities
from app.gallery.index_projection import Projection
from app.gallery.index_state import ErasureResult, IndexState, index_state
from app.gallery.owner_cache import OwnerCache
from app.gallery.store.filters import Where
from app.gallery.store.identities import Check, IdentityStore
from app.gallery.store.rows import switched
from app.gallery.store.values import (
    Collection,
    CollectionSettings,
    EnrolledIdentity,
    EnrollmentResult,
    FilteredFaces,
    IdempotencyRecord,
    NewFace,
    Person,
    RemovalResult,
    Templates,
    written_templates,
)
from app.gallery.unserved import UnservedCollections
from app.types import CollectionKey, Floats, Keys


class Gallery:
    """The collections whose embedding models are served.

    A collection may move to another model at any time (`model_migration`). Calls with the previous `Collection` value
    then raise CollectionSwitched, so no probe is compared with templates of another model.
    """

    def __init__(
        self,
        store: IdentityStore,
        new_projection: Callable[[Collection], Projection],
        *,
        model: str,
        dimension: int,
        further: Mapping[str, int] | None = None,
        unserved: UnservedCollections | None = None,
    ) -> None:
        """`model` (of length `dimension`) is for new collections; `further` models are served too."""
        self._store = store
        self._owners = OwnerCache(store)
        self._new_projection = new_projection
        self._model = model
        self._dimensions = {**(further or {}), model: dimension}
        self._unserved = unserved or UnservedCollections(self._dimensions)
        self._projections: dict[CollectionKey, Projection] = {}
        self._prepared: dict[str, Projection] = {}
        self._opening = threading.Lock()

    def open(self) -> None:
        """Open the index of every served collection, and log the others. Call it before the first request."""
        for collection in self._store.collections():
            if (usable := self._unserved.resolve_or_report(collection)) is not None:
                self._projection(usable)

    def collection(self, name: str) -> Collection:
        """Return a collection of any model; raises CollectionUnknown."""
        return self._store.collection(name)

    def require(self, name: str) -> Collection:
        """Return a collection whose model is served, an empty one after a switch.

        Raises CollectionUnknown, and ModelMismatch if the model is not served and the collection cannot switch.
        """
        return self._unserved.resolve(self.collection(name))

    def ensure(self, name: str, settings: CollectionSettings | None = None) -> None:
        """Create a collection for the default model unless the name exists."""
        with suppress(CollectionExists):  # also when another process was quicker
            self.create(name, settings)

    def create(
        self,
        name: str,
        settings: CollectionSettings | None = None,
        index_kind: str | None = None,
        *,
        model: str | None = None,
    ) -> Collection:
        """Create a collection for a served model (or the default one); raises CollectionExists."""
        model = model or self._model
        return self._store.create_collection(
            name, model=model, dimension=self._dimensions[model], settings=settings, index_kind=index_kind
        )

    def earlier_answer(self, collection: Collection, retry: IdempotencyRecord) -> EnrollmentResult | None:
        """See `IdentityStore.earlier_answer`; searches find the faces enrolled then once this returns."""
        earlier = self._store.earlier_answer(collection, retry)
        if earlier is not None:
            self._catch_up(collection)
        return earlier

    def add(
        self,
        collection: Collection,
        person: Person,
        faces: Sequence[NewFace],
        retry: IdempotencyRecord | None,
        *,
        check: Check | None = None,
    ) -> EnrollmentResult:
        """Enroll faces of one person. They are committed, and searches find them, once this returns.

        See `IdentityStore.enroll`. Raises CollectionSwitched (writing nothing) if the collection has moved to another
        model, or changed its settings, since these vectors were computed.
        """
        projection = self._projection(collection)
        written = self._store.enroll(collection, person, faces, retry, check=check)
        self._show(collection, projection, [written])
        return written

    def add_people(
        self,
        collection: Collection,
        people: Sequence[tuple[Person, Sequence[NewFace]]],
        *,
        check: Check | None = None,
    ) -> list[EnrollmentResult]:
        """Enroll faces of several people in one transaction, and skip photos that are already enrolled.

        Searches find the faces when this returns. Raises the errors of `add`. See `IdentityStore.enroll_people`.
        """
        projection = self._projection(collection)
        written = self._store.enroll_people(collection, people, check=check)
        self._show(collection, projection, written)
        return written

    def _show(self, collection: Collection, projection: Projection, written: Sequence[EnrollmentResult]) -> None:
        """Add the faces of one transaction to the index."""
        if not any(each.keys for each in written):
            self._catch_up(collection)
            return
        revision = written[0].revision
        try:
            projection.advance(revision, written_templates(written))
        except CollectionSwitched:  # too late to refuse: the write is committed
            self.catch_up(collection, revision)

    def remove_identity(self, collection: Collection, identity_id: str, *, only_expired: bool = False) -> ErasureResult:
        """Delete a person with all faces from the database, the index and the snapshots.

        Raises IdentityUnknown. `only_expired`, for any network: see `IdentityStore.remove_identity`.
        """
        if collection.model not in self._dimensions:
            removed = self._store.remove_identity(collection, identity_id, only_expired=only_expired)
            self._new_projection(collection).purge(np.array(removed.keys, np.int64))
            return ErasureResult(removed, "none", 0)
        self._open_if_current(collection)
        removed = self._store.remove_identity(collection, identity_id, only_expired=only_expired)
        return self.finish_removal(collection, removed)

    def remove_face(self, collection: Collection, face_id: str) -> ErasureResult:
        """Delete one face, and with the last one its person, as `remove_identity` does; raises FaceUnknown."""
        self._open_if_current(collection)
        return self.finish_removal(collection, self._store.remove_face(collection, face_id))

    def finish_removal(self, collection: Collection, removed: RemovalResult) -> ErasureResult:
        """Remove faces from the index and its snapshots after they were deleted from the database."""
        self.catch_up(collection, removed.revision)
        projection = self._projections.get(collection.key)
        if projection is None:  # the collection was deleted, or moved to a network that is not served
            return ErasureResult(removed, "none", None)
        return ErasureResult(removed, projection.index.kind, projection.purged_files(removed.revision))

    def drop(self, collection: Collection, delete: Callable[[Collection], None]) -> None:
        """Delete a collection with `delete` (in the database), then its index and snapshots, here and in the engine.

        The collection may be of any model. Other replicas drop their indexes when they follow.
        """
        with self._opening:
            projection = self._projections.get(collection.key) or self._new_projection(collection)
        delete(collection)
        self._owners.drop(collection.key)
        self._projections.pop(collection.key, None)
        projection.drop()

    def filter_faces(self, collection: Collection, where: Where) -> FilteredFaces:
        """Return the faces of the identities whose metadata matches `where`."""
        return self._store.filter_faces(collection, where)

    def catch_up_to_latest(self, collection: Collection) -> int:
        """Bring the index up to the latest committed revision, and return the revision that it contains."""
        projection = self._projection(collection)
        projection.catch_up(self._store.collection(collection.name).revision)
        return projection.revision()

    def nearest_identities(
        self, collection: Collection, vectors: Floats, top_k: int, *, among: Keys | None = None
    ) -> list[EnrolledIdentity]:
        """Return the owners of the faces nearest to any of the vectors (n, d): `top_k` or more per vector.

        Each owner is returned once, in no order. One search and one query serve all vectors; more follow only if the
        many faces of a few people fill the first answer. With `among`, only these faces are searched, exactly.
        The index may lack the last changes of other processes, for at most `LONGEST_LAG` seconds.

        Raises CollectionSwitched if the vectors are of another model than the collection's templates.
        """
        projection = self._projection(collection)
        projection.limit_lag(collection.revision)
        try:
            return search_identities(projection.index, self._owners, collection, vectors, top_k, among=among)
        except (IndexUnusable, IndexUnavailable):
            self._require_unswitched(collection)  # an engine deletes the index of the previous model
            raise

    def photos_of(self, collection: Collection, identity_id: str) -> frozenset[str]:
        """Return the SHA-256 of a person's enrolled photos."""
        return self._store.photos_of(collection, identity_id)

    def enrolled(self, collection: Collection, identity_id: str) -> EnrolledIdentity:
        """Return one identity with its faces (at least one).

        Raises IdentityUnknown, and CollectionSwitched if the faces are now of another model.
        """
        enrolled = self._store.enrolled(collection, identity_id)
        require_model(collection, [enrolled])
        return enrolled

    def catch_up(self, collection: Collection, revision: int) -> None:
        """Bring the index of a collection up to a committed revision, even after a switch to another model."""
        self._owners.forget(collection, before=revision)
        while True:
            try:
                self._projection(collection).catch_up(revision)
            except CollectionSwitched:
                collection = self.collection(collection.name)
                if collection.model in self._dimensions:
                    continue
            return

    @contextmanager
    def prepare_migration(self, coming: Collection, blocks: Iterable[Templates]) -> Iterator[None]:
        """Context manager: build the post-switch index in advance so requests do not wait for it.

        `blocks` yields all new templates at the revision of `coming`, by key. Searches keep using the current index.
        """
        projection = self._new_projection(coming)
        projection.prepare(blocks)
        self._prepared[coming.uid] = projection
        try:
            yield
        finally:
            with self._opening:
                left = self._prepared.pop(coming.uid, None)
            if left is not None:  # the switch did not happen
                left.drop()

    def follow(self) -> None:
        """Apply the writes of other processes, and open the collections that they created.

        Raises IndexUnavailable if an index does not answer, after following the others, and DatabaseError's children.
        """
        failure: IndexUnavailable | None = None
        opened = set(self._projections)  # read before the list, so that new collections are in neither
        served = self._served()
        for key in opened - {each.key for each in served}:
            self._drop_deleted(key)
        for collection in served:
            try:
                self.catch_up(collection, collection.revision)
            except (CollectionUnknown, CollectionSwitched):  # the next call drops or reopens it
                continue
            except IndexUnavailable as error:  # the other collections do not wait for this engine
                failure = error
        if failure is not None:
            raise failure

    def note_current(self) -> None:
        """Note that nothing was written since `follow`."""
        for projection in list(self._projections.values()):
            projection.catch_up(projection.revision())

    def save(self) -> None:
        """Write the snapshots that make the next start quick."""
        for projection in list(self._projections.values()):
            projection.save()

    def states(self, collections: Iterable[Collection] | None = None) -> list[IndexState]:
        """Return the state of each open index against the database; `collections` are all of them, if just read."""
        opened = dict(self._projections)
        return [index_state(each, opened[each.key]) for each in self._served(collections) if each.key in opened]

    def close(self) -> None:
        """Write the last snapshots and close the indexes."""
        self.save()
        self.release()

    def release(self) -> None:
        """Close the indexes without writing snapshots."""
        for projection in self._projections.values():
            projection.close()

    def _drop_deleted(self, key: CollectionKey) -> None:
        """Drop the index of a collection that another process has deleted."""
        self._owners.drop(key)
        if (projection := self._projections.pop(key, None)) is not None:
            projection.drop()

    def _catch_up(self, collection: Collection) -> None:
        """Bring the index up to the latest committed revision."""
        self.catch_up(collection, self._store.collection(collection.name).revision)

    def _served(self, collections: Iterable[Collection] | None = None) -> list[Collection]:
        every = self._store.collections() if collections is None else collections
        return [each for each in every if each.model in self._dimensions]

    def _projection(self, collection: Collection) -> Projection:
        projection = self._projections.get(collection.key)
        if projection is not None and projection.uid == collection.uid:
            return projection
        with self._opening:
            before = self._projections.get(collection.key)
            if before is not None:
                if before.uid == collection.uid:
                    return before
                self._require_unswitched(collection)
            projection = self._prepared.get(collection.uid) or self._new_projection(collection)
            projection.open()
            self._prepared.pop(collection.uid, None)
            self._projections[collection.key] = projection
        if before is not None:
            before.drop()  # running searches in it finish, then raise CollectionSwitched
        return projection

    def _open_if_current(self, collection: Collection) -> None:
        """Open the index before a write. After a switch to another model it is opened after the write."""
        with suppress(CollectionSwitched):
            self._projection(collection)

    def _require_unswitched(self, collection: Collection) -> None:
        if self.collection(collection.name).uid != collection.uid:
            raise switched(collection)
