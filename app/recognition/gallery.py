"""All enrolled templates: what is written goes to the database, then to the index; searches ask the index."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from app.errors import CollectionExists, CollectionUnknown, IndexUnavailable, ModelMismatch
from app.faces import Candidate, Floats
from app.identities.restriction import Where
from app.identities.store import IdentityStore
from app.identities.values import (
    Collection,
    Enrolled,
    Keys,
    NewFace,
    Person,
    Practice,
    Removed,
    Restricted,
    Retry,
    Written,
)
from app.observability.stages import stage
from app.recognition.matching import ranked
from app.recognition.projection import Projection

# Faces asked of the index for each identity wanted, and at least; people with more faces cost a second search. The
# owners of these faces are then compared by all their faces: the best need not be the owner of the nearest one.
_FACES_PER_IDENTITY, _LEAST_FACES = 4, 32


@dataclass(frozen=True, slots=True)
class IndexState:
    """How the index of a collection stands against the database: `behind` counts revisions."""

    collection: str
    kind: str
    indexed: int
    faces: int
    revision: int
    behind: int
    seconds_behind: float


class Gallery:
    """The collections that were enrolled with one embedding model."""

    def __init__(
        self, store: IdentityStore, new_projection: Callable[[Collection], Projection], *, model: str, dimension: int
    ) -> None:
        self._store = store
        self._new_projection = new_projection
        self._model = model
        self._dimension = dimension
        self._projections: dict[int, Projection] = {}
        self._opening = threading.Lock()

    def open(self) -> None:
        """Make the index of every collection of this model ready; run before the first request."""
        for collection in self._served():
            self._projection(collection)

    def collection(self, name: str) -> Collection:
        """Return a collection, of whatever model; raises CollectionUnknown."""
        return self._store.collection(name)

    def require(self, name: str) -> Collection:
        """Return a collection that this model can serve; raises CollectionUnknown, ModelMismatch."""
        collection = self.collection(name)
        if collection.model != self._model:
            raise ModelMismatch(
                f"collection {name!r} was enrolled with {collection.model}, the service runs {self._model}; embeddings "
                "of different networks cannot be compared: start it with that network or use another collection"
            )
        return collection

    def ensure(self, name: str, practice: Practice | None = None) -> None:
        """Create a collection for this model unless there is one of that name."""
        with suppress(CollectionExists):  # also when another process was quicker
            self.create(name, practice)

    def create(self, name: str, practice: Practice | None = None, index_kind: str | None = None) -> Collection:
        """Create a collection for this model; raises CollectionExists."""
        return self._store.create_collection(
            name, model=self._model, dimension=self._dimension, practice=practice, index_kind=index_kind
        )

    def earlier_answer(self, collection: Collection, retry: Retry) -> Written | None:
        """See `IdentityStore.earlier_answer`; who was enrolled then is found by searches once this returns."""
        earlier = self._store.earlier_answer(collection, retry)
        if earlier is not None:
            self._catch_up(collection)
        return earlier

    def add(self, collection: Collection, person: Person, faces: Sequence[NewFace], retry: Retry | None) -> Written:
        """Enrol faces of one person: committed to the database, and found by searches once this returns."""
        projection = self._projection(collection)
        written = self._store.enrol(collection, person, faces, retry)
        if written.keys:
            projection.advance(written.revision, written.keys, np.stack([face.vector for face in faces]))
        else:
            self._catch_up(collection)
        return written

    def remove_identity(self, collection: Collection, identity_id: str) -> Removed:
        """Delete a person with all faces: gone from database, index and snapshots once this returns.

        Raises IdentityUnknown.
        """
        projection = self._projection(collection)
        removed = self._store.remove_identity(collection, identity_id)
        projection.catch_up(removed.revision)
        return removed

    def remove_face(self, collection: Collection, face_id: str) -> Removed:
        """Delete one face, and with the last one its person, as `remove_identity` does; raises FaceUnknown."""
        projection = self._projection(collection)
        removed = self._store.remove_face(collection, face_id)
        projection.catch_up(removed.revision)
        return removed

    def drop(self, collection: Collection, delete: Callable[[Collection], None]) -> None:
        """Delete a collection by `delete` (in the database), then its index and snapshots, here and in the engine.

        Of whatever model. Other replicas drop what is theirs when they follow.
        """
        with self._opening:
            projection = self._projections.get(collection.key) or self._new_projection(collection)
        delete(collection)
        self._projections.pop(collection.key, None)
        projection.drop()

    def restricted(self, collection: Collection, where: Where) -> Restricted:
        """Return the part of a collection whose people have such metadata."""
        return self._store.restricted(collection, where)

    def search(
        self, collection: Collection, vectors: Floats, top_k: int, *, among: Keys | None = None
    ) -> list[list[Candidate]]:
        """Return for each probe (n, d) at most `top_k` candidates, one for each identity, best first.

        One search and one query for all probes, unless a few people's many faces fill the first answer. With `among`,
        only the people of these faces are searched, exactly.
        """
        index = self._projection(collection).index
        with stage("search"):
            wanted = max(top_k * _FACES_PER_IDENTITY, _LEAST_FACES)
            while True:
                _, keys = index.search(vectors, wanted, among=among)
                people = self._store.owners_with_faces(keys.ravel().tolist())
                if keys.shape[1] < wanted or _least_people(keys, people) >= top_k:
                    return ranked(vectors, people, top_k)
                wanted *= 8

    def enrolled(self, collection: Collection, identity_id: str) -> Enrolled:
        """Return one identity with its faces, of which there is at least one; raises IdentityUnknown."""
        return self._store.enrolled(collection, identity_id)

    def catch_up(self, collection: Collection, revision: int) -> None:
        """Bring the index of a collection to a revision that was committed."""
        self._projection(collection).catch_up(revision)

    def follow(self) -> None:
        """Apply what other processes have written; collections that they made are opened.

        Raises IndexUnavailable, after all other collections have followed, and DatabaseError's children.
        """
        failure: IndexUnavailable | None = None
        opened = set(self._projections)  # before the list: what was made meanwhile is in neither
        served = self._served()
        for key in opened - {each.key for each in served}:
            self._drop_deleted(key)
        for collection in served:
            try:
                self.catch_up(collection, collection.revision)
            except CollectionUnknown:  # deleted meanwhile: dropped next time
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
        return [self._state(each, opened[each.key]) for each in self._served() if each.key in opened]

    def close(self) -> None:
        """Write the last snapshots and let go of the indexes."""
        self.save()
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
        return [each for each in self._store.collections() if each.model == self._model]

    def _state(self, collection: Collection, projection: Projection) -> IndexState:
        applied, index = projection.revision(), projection.index
        return IndexState(
            collection=collection.name,
            kind=index.kind,
            indexed=index.count(),
            faces=collection.faces,
            revision=applied,
            behind=max(collection.revision - applied, 0),
            seconds_behind=projection.seconds_behind(collection.revision),
        )

    def _projection(self, collection: Collection) -> Projection:
        projection = self._projections.get(collection.key)
        if projection is None:
            with self._opening:
                projection = self._projections.get(collection.key)
                if projection is None:
                    projection = self._new_projection(collection)
                    projection.open()
                    self._projections[collection.key] = projection
        return projection


def _least_people(keys: Keys, people: Sequence[Enrolled]) -> int:
    """Return to how many people the hits (n, k) of the probe with the fewest belong."""
    place = {key: at for at, each in enumerate(people) for key in each.keys.tolist()}
    return min(len({place[key] for key in row if key in place}) for row in keys.tolist()) if len(keys) else 0
