"""All enrolled templates: the database is the truth, the index its projection. The only file that touches both."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import CollectionExists, ModelMismatch
from app.faces import Candidate, Floats
from app.identities.store import IdentityStore
from app.identities.values import Collection, Enrolled, NewFace, Person, Practice, Retry, Written
from app.index.protocol import VectorIndex
from app.observability.logs import get_logger
from app.observability.stages import stage
from app.recognition.matching import ranked

_log = get_logger(__name__)

# Faces asked of the index for each identity wanted, and at least; people with more faces cost a second search. The
# owners of these faces are then compared by all their faces: the best need not be the owner of the nearest one.
_FACES_PER_IDENTITY, _LEAST_FACES = 4, 32


@dataclass(frozen=True, slots=True)
class IndexState:
    """How the index of a collection stands against the database."""

    collection: str
    faces: int
    indexed: int


class Gallery:
    """The collections that were enrolled with one embedding model."""

    def __init__(
        self, store: IdentityStore, new_index: Callable[[int], VectorIndex], *, model: str, dimension: int
    ) -> None:
        self._store = store
        self._new_index = new_index
        self._model = model
        self._dimension = dimension
        self._indexes: dict[int, VectorIndex] = {}
        self._writing = threading.RLock()

    def rebuild(self) -> None:
        """Build the index of every collection of this model from the database; run before the first request."""
        for collection in self._store.collections():
            if collection.model == self._model:
                self._index(collection)

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
            self._store.create_collection(name, model=self._model, dimension=self._dimension, practice=practice)

    def earlier_answer(self, collection: Collection, retry: Retry) -> Written | None:
        """See `IdentityStore.earlier_answer`."""
        return self._store.earlier_answer(collection, retry)

    def add(self, collection: Collection, person: Person, faces: Sequence[NewFace], retry: Retry | None) -> Written:
        """Enrol faces of one person: committed to the database, and found by searches once this returns."""
        with self._writing:
            index = self._index(collection)
            written = self._store.enrol(collection, person, faces, retry)
            if written.keys:
                try:
                    index.add(np.array(written.keys, np.int64), np.stack([face.vector for face in faces]))
                except (RuntimeError, MemoryError):
                    # The faces are safe in the database; a new index is built from it before the next search.
                    _log.exception("index.add_failed", collection=collection.name)
                    self._indexes.pop(collection.key, None)
        return written

    def search(self, collection: Collection, vectors: Floats, top_k: int) -> list[list[Candidate]]:
        """Return for each probe (n, d) at most `top_k` candidates, one for each identity, best first.

        One search and one query for all probes, unless a few people's many faces fill the first answer.
        """
        index = self._index(collection)
        with stage("search"):
            wanted = max(top_k * _FACES_PER_IDENTITY, _LEAST_FACES)
            while True:
                _, keys = index.search(vectors, wanted)
                people = self._store.owners_with_faces(keys.ravel().tolist())
                if keys.shape[1] < wanted or _least_people(keys, people) >= top_k:
                    return ranked(vectors, people, top_k)
                wanted *= 8

    def enrolled(self, collection: Collection, identity_id: str) -> Enrolled:
        """Return one identity with its faces, of which there is at least one; raises IdentityUnknown."""
        return self._store.enrolled(collection, identity_id)

    def states(self) -> list[IndexState]:
        """Return how each index stands against the database."""
        with self._writing:  # between a write's two halves they would differ
            return [
                IndexState(collection.name, self._store.face_count(collection), self._indexes[collection.key].count())
                for collection in self._store.collections()
                if collection.key in self._indexes
            ]

    def _index(self, collection: Collection) -> VectorIndex:
        index = self._indexes.get(collection.key)
        if index is None:
            with self._writing:
                index = self._indexes.get(collection.key) or self._built(collection)
                self._indexes[collection.key] = index
        return index

    def _built(self, collection: Collection) -> VectorIndex:
        index = self._new_index(collection.dimension)
        for keys, vectors in self._store.templates(collection):
            index.add(keys, vectors)
        _log.info("index.built", collection=collection.name, faces=index.count())
        return index


def _least_people(keys: NDArray[np.int64], people: Sequence[Enrolled]) -> int:
    """Return to how many people the hits (n, k) of the probe with the fewest belong."""
    place = {key: at for at, each in enumerate(people) for key in each.keys.tolist()}
    return min(len({place[key] for key in row if key in place}) for row in keys.tolist()) if len(keys) else 0
