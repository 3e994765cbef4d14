"""All enrolled templates: the database is the truth, the index its projection. The only file that touches both."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from app.errors import CollectionExists, ModelMismatch
from app.faces import Candidate, Floats
from app.identities.store import IdentityStore
from app.identities.values import Collection, NewFace, Owner, Person, Retry, Written
from app.index.protocol import VectorIndex
from app.observability.logs import get_logger
from app.observability.stages import stage
from app.recognition.matching import best_per_identity

_log = get_logger(__name__)

# Faces asked of the index for each identity wanted; people with more faces than that cost a second search.
_FACES_PER_IDENTITY = 4


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

    def require(self, name: str) -> Collection:
        """Return a collection that this model can serve; raises CollectionUnknown, ModelMismatch."""
        collection = self._store.collection(name)
        if collection.model != self._model:
            raise ModelMismatch(
                f"collection {name!r} was enrolled with {collection.model}, the service runs {self._model}; embeddings "
                "of different networks cannot be compared: start it with that network or use another collection"
            )
        return collection

    def ensure(self, name: str) -> None:
        """Create a collection for this model unless there is one of that name."""
        with suppress(CollectionExists):  # also when another process was quicker
            self._store.create_collection(name, model=self._model, dimension=self._dimension)

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
            wanted = top_k * _FACES_PER_IDENTITY
            while True:
                similarities, keys = index.search(vectors, wanted)
                owners = self._store.owners(keys.ravel().tolist())
                candidates = [
                    best_per_identity(row, row_keys, owners, top_k)
                    for row, row_keys in zip(similarities, keys, strict=True)
                ]
                if similarities.shape[1] < wanted or all(len(found) >= top_k for found in candidates):
                    return candidates
                wanted *= 8

    def face_count(self, collection: Collection) -> int:
        """Return how many faces a search of the collection compares with."""
        return self._index(collection).count()

    def templates(self, collection: Collection, identity_id: str) -> tuple[list[Owner], Floats]:
        """Return all faces of an identity and their vectors (n, d), n >= 1; raises IdentityUnknown."""
        return self._store.identity_templates(collection, identity_id)

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
