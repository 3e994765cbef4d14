"""Search an index for identities instead of faces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.gallery.index.protocol import VectorIndex
from app.gallery.store.identities import IdentityStore
from app.gallery.store.rows import switched
from app.gallery.store.values import Collection, EnrolledIdentity
from app.types import Floats, Keys

# Faces requested from the index per wanted identity, and at least. An identity with more faces costs a second search.
# The owners are then compared by all their faces: the best match may not own the nearest face.
_FACES_PER_IDENTITY, _LEAST_FACES = 4, 32
_GROWTH = 8  # more faces are requested each time the answer is filled by too few identities


def search_identities(
    index: VectorIndex,
    store: IdentityStore,
    collection: Collection,
    vectors: Floats,
    top_k: int,
    *,
    among: Keys | None = None,
) -> list[EnrolledIdentity]:
    """Return the owners of the faces nearest to any vector (n, d); see `Gallery.nearest_identities`."""
    wanted = max(top_k * _FACES_PER_IDENTITY, _LEAST_FACES)
    near: dict[str, EnrolledIdentity] = {}
    while True:
        _, keys = index.search(vectors, wanted, among=among)
        people = store.owners_with_faces(keys.ravel().tolist())
        require_model(collection, people)
        near |= {each.identity_id: each for each in people}
        is_short = _people_each(keys, people) < top_k
        if keys.shape[1] < wanted or not is_short.any():
            return list(near.values())
        vectors = vectors[is_short]
        wanted *= _GROWTH


def require_model(collection: Collection, people: Sequence[EnrolledIdentity]) -> None:
    """Raise CollectionSwitched if any template is of another model than the collection."""
    if any(each.model != collection.model for each in people):
        raise switched(collection)


def _people_each(keys: Keys, people: Sequence[EnrolledIdentity]) -> NDArray[np.intp]:
    """Return how many identities own the hits (n, k) of each probe, shape (n,)."""
    place = {key: at for at, each in enumerate(people) for key in each.keys.tolist()}
    return np.array([len({place[key] for key in row if key in place}) for row in keys.tolist()], np.intp)
