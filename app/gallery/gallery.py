"""All enrolled templates: what is written goes to the database, then to the index; searches ask the index."""

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
    ModelMismatch,
)
from app.gallery.identity_search import require_model, search_identities
from app.gallery.index_projection import Projection
from app.gallery.index_state import ErasureResult, IndexState, index_state
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
)
from app.types import Floats, Keys


class Gallery:
    """The collections that were enrolled with any of the embedding models that are served.

    A collection may switch to another model at any moment (`model_migration`). Collection values from
    before the switch then raise CollectionSwitched, so that no probe meets templates of another model.
    """

    def __init__(
        self,
        store: IdentityStore,
        new_projection: Callable[[Collection], Projection],
        *,
        model: str,
        dimension: int,
        further: Mapping[str, int] | None = None,
    ) -> None:
        """Take the model of new collections with its dimension, and `further` ones that are served."""
        self._store = store
        self._new_projection = new_projection
        self._model = model
        self._dimensions = {**(further or {}), model: dimension}
        self._projections: dict[int, Projection] = {}
        self._prepared: dict[str, Projection] = {}
        self._opening = threading.Lock()

    def open(self) -> None:
        """Make the index of every collection that is served ready; run before the first request."""
        for collection in self._served():
            self._projection(collection)

    def collection(self, name: str) -> Collection:
        """Return a collection, of whatever model; raises CollectionUnknown."""
        return self._store.collection(name)

    def require(self, name: str) -> Collection:
        """Return a collection whose model is served; raises CollectionUnknown, ModelMismatch."""
        collection = self.collection(name)
        if collection.model not in self._dimensions:
            raise ModelMismatch(
                f"collection {name!r} was enrolled with {collection.model}, the service runs "
                f"{', '.join(sorted(self._dimensions))}; embeddings of different networks cannot be compared: add its "
                "pack to ARCID_PACKS, embed the collection again with a network that runs, or use another collection"
            )
        return collection

    def ensure(self, name: str, settings: CollectionSettings | None = None) -> None:
        """Create a collection for the usual model unless there is one of that name."""
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
        """Create a collection for a model that is served (default: the usual one); raises CollectionExists."""
        model = model or self._model
        return self._store.create_collection(
            name, model=model, dimension=self._dimensions[model], settings=settings, index_kind=index_kind
        )

    def earlier_answer(self, collection: Collection, retry: IdempotencyRecord) -> EnrollmentResult | None:
        """See `IdentityStore.earlier_answer`; after this, searches find the people enrolled then."""
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
        """Enroll faces of one person: committed to the database, and found by searches once this returns.

        See `IdentityStore.enroll`. Raises CollectionSwitched (writing nothing) if the collection has moved to another
        model, or got another settings, since these vectors were computed.
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
        """Enroll faces of several people in one transaction, without photos that they are enrolled with already.

        See `IdentityStore.enroll_people`; found by searches once this returns. Raises as `add` does.
        """
        projection = self._projection(collection)
        written = self._store.enroll_people(collection, people, check=check)
        self._show(collection, projection, written)
        return written

    def _show(self, collection: Collection, projection: Projection, written: Sequence[EnrollmentResult]) -> None:
        """Let searches find what one transaction wrote."""
        keys = [key for each in written for key in each.keys]
        if not keys:
            self._catch_up(collection)
            return
        revision = written[0].revision
        try:
            projection.advance(revision, keys, np.stack([face.vector for each in written for face in each.faces]))
        except CollectionSwitched:  # after the commit: no longer a reason to refuse
            self.catch_up(collection, revision)

    def remove_identity(self, collection: Collection, identity_id: str, *, only_expired: bool = False) -> ErasureResult:
        """Delete a person with all faces: gone from database, index and snapshots once this returns.

        Raises IdentityUnknown. `only_expired`: see `IdentityStore.remove_identity`; then of whatever network.
        """
        if collection.model not in self._dimensions:
            removed = self._store.remove_identity(collection, identity_id, only_expired=only_expired)
            self._new_projection(collection).purge(np.array(removed.keys, np.int64))
            return ErasureResult(removed, "none", 0)
        self._open_if_current(collection)
        return self.finish_removal(
            collection, self._store.remove_identity(collection, identity_id, only_expired=only_expired)
        )

    def remove_face(self, collection: Collection, face_id: str) -> ErasureResult:
        """Delete one face, and with the last one its person, as `remove_identity` does; raises FaceUnknown."""
        self._open_if_current(collection)
        return self.finish_removal(collection, self._store.remove_face(collection, face_id))

    def finish_removal(self, collection: Collection, removed: RemovalResult) -> ErasureResult:
        """Take what was deleted in the database out of the index and its snapshots."""
        self.catch_up(collection, removed.revision)
        projection = self._projections.get(collection.key)
        if projection is None:  # gone with its collection, or to a network that is not served
            return ErasureResult(removed, "none", None)
        return ErasureResult(removed, projection.index.kind, projection.purged_files(removed.revision))

    def drop(self, collection: Collection, delete: Callable[[Collection], None]) -> None:
        """Delete a collection by `delete` (in the database), then its index and snapshots, here and in the engine.

        Of whatever model. Other replicas drop what is theirs when they follow.
        """
        with self._opening:
            projection = self._projections.get(collection.key) or self._new_projection(collection)
        delete(collection)
        self._projections.pop(collection.key, None)
        projection.drop()

    def filter_faces(self, collection: Collection, where: Where) -> FilteredFaces:
        """Return the part of a collection whose people have this metadata."""
        return self._store.filter_faces(collection, where)

    def catch_up_to_latest(self, collection: Collection) -> int:
        """Bring the index up to what is committed now; return a revision whose changes, all of them, it shows."""
        projection = self._projection(collection)
        projection.catch_up(self._store.collection(collection.name).revision)
        return projection.revision()

    def nearest_identities(
        self, collection: Collection, vectors: Floats, top_k: int, *, among: Keys | None = None
    ) -> list[EnrolledIdentity]:
        """Return the people of the faces nearest to any of the vectors (n, d), at least `top_k` for each if there are.

        Each once, in no order. One search and one query for all vectors, and more if a few people's many faces fill
        the first answer. With `among`, only the people of these faces are searched, exactly.

        Raises CollectionSwitched if the vectors are of another model than the collection's templates.
        """
        index = self._projection(collection).index
        try:
            return search_identities(index, self._store, collection, vectors, top_k, among=among)
        except (IndexUnusable, IndexUnavailable):
            self._require_unswitched(collection)  # an engine deletes the index of the previous model
            raise

    def photos_of(self, collection: Collection, identity_id: str) -> frozenset[str]:
        """Return the SHA-256 of the photos that a person is enrolled with."""
        return self._store.photos_of(collection, identity_id)

    def enrolled(self, collection: Collection, identity_id: str) -> EnrolledIdentity:
        """Return one identity with its faces, of which there is at least one.

        Raises IdentityUnknown, and CollectionSwitched if they now have another model.
        """
        enrolled = self._store.enrolled(collection, identity_id)
        require_model(collection, [enrolled])
        return enrolled

    def catch_up(self, collection: Collection, revision: int) -> None:
        """Update the index of a collection, with its current model, to a committed revision."""
        while True:
            try:
                self._projection(collection).catch_up(revision)
            except CollectionSwitched:
                collection = self.collection(collection.name)
                if collection.model in self._dimensions:
                    continue
            return

    @contextmanager
    def prepare_migration(self, coming: Collection, blocks: Iterable[tuple[Keys, Floats]]) -> Iterator[None]:
        """Have the index of a collection as a switch in this context will make it: requests then do not wait for it.

        `blocks` yields the new templates by key; searches keep using the current index.
        """
        projection = self._new_projection(coming)
        projection.prepare(blocks)
        self._prepared[coming.uid] = projection
        try:
            yield
        finally:
            with self._opening:
                left = self._prepared.pop(coming.uid, None)
            if left is not None:  # nothing was switched
                left.drop()

    def follow(self) -> None:
        """Apply what other processes have written; collections that they made are opened.

        Raises IndexUnavailable, after all other collections have followed, and DatabaseError's children.
        """
        failure: IndexUnavailable | None = None
        opened = set(self._projections)  # before the list, so that a new one is in neither
        served = self._served()
        for key in opened - {each.key for each in served}:
            self._drop_deleted(key)
        for collection in served:
            try:
                self.catch_up(collection, collection.revision)
            except (CollectionUnknown, CollectionSwitched):  # deleted or switched since; handled next time
                continue
            except IndexUnavailable as error:  # the others do not wait for its engine
                failure = error
        if failure is not None:
            raise failure

    def save(self) -> None:
        """Write the snapshots that make the next start quick."""
        for projection in list(self._projections.values()):
            projection.save()

    def states(self) -> list[IndexState]:
        """Return how each index stands against the database."""
        opened = dict(self._projections)
        return [index_state(each, opened[each.key]) for each in self._served() if each.key in opened]

    def close(self) -> None:
        """Write the last snapshots and close the indexes."""
        self.save()
        self.release()

    def release(self) -> None:
        """Close the indexes without writing snapshots."""
        for projection in self._projections.values():
            projection.close()

    def _drop_deleted(self, key: int) -> None:
        """Drop the index of a collection that another process has deleted."""
        projection = self._projections.pop(key, None)
        if projection is not None:
            projection.drop()

    def _catch_up(self, collection: Collection) -> None:
        """Bring the index to where the database is now."""
        self.catch_up(collection, self._store.collection(collection.name).revision)

    def _served(self) -> list[Collection]:
        return [each for each in self._store.collections() if each.model in self._dimensions]

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
            before.drop()  # searches that are under way in it end well, and are then refused
        return projection

    def _open_if_current(self, collection: Collection) -> None:
        """Make sure before a write that the index can be opened; one of another model is opened after it."""
        with suppress(CollectionSwitched):
            self._projection(collection)

    def _require_unswitched(self, collection: Collection) -> None:
        if self.collection(collection.name).uid != collection.uid:
            raise switched(collection)
