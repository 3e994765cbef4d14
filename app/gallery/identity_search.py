"""Search an index for identities instead of faces."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.gallery.index.protocol import VectorIndex
from app.gallery.owner_cache import OwnerCache
from app.gallery.store.rows import switched
from app.gallery.store.values import Collection, EnrolledIdentity
from app.types import Floats, Keys

# People requested from the index per wanted identity, and at least. The index compares the plain means of their faces;
# decisions weight the faces by quality.
_PEOPLE_PER_IDENTITY, _LEAST_PEOPLE = 2, 16

# Faces requested, if the index compares faces only. An identity with more faces costs a second search. The owners are
# then compared by all their faces: the best match may not own the nearest face.
_FACES_PER_IDENTITY, _LEAST_FACES = 4, 32
_GROWTH = 8  # more faces are requested each time the answer is filled by too few identities


def search_identities(
    index: VectorIndex,
    owners: OwnerCache,
    collection: Collection,
    vectors: Floats,
    top_k: int,
    *,
    among: Keys | None = None,
) -> list[EnrolledIdentity]:
    """Return the owners of the faces nearest to any vector (n, d); see `Gallery.nearest_identities`."""
    near: dict[str, EnrolledIdentity] = {}

    def read(rows: Iterable[Keys]) -> NDArray[np.bool_]:
        """Read the owners of each probe's keys, and return which probes (n,) have too few of them."""
        rows = list(rows)
        people = owners.owners(collection, np.concatenate(rows).tolist())
        require_model(collection, people)
        near.update({each.identity_id: each for each in people})
        return _people_each(rows, people) < top_k

    if len(vectors) and among is None:
        best = index.search_people(vectors, max(top_k * _PEOPLE_PER_IDENTITY, _LEAST_PEOPLE))
        vectors = vectors if best is None else vectors[read(best)]
    wanted = max(top_k * _FACES_PER_IDENTITY, _LEAST_FACES)
    while len(vectors):
        _, keys = index.search(vectors, wanted, among=among)
        is_short = read(keys)
        if keys.shape[1] < wanted:
            break
        vectors = vectors[is_short]
        wanted *= _GROWTH
    return list(near.values())


def require_model(collection: Collection, people: Sequence[EnrolledIdentity]) -> None:
    """Raise CollectionSwitched if any template is of another model than the collection."""
    if any(each.model != collection.model for each in people):
        raise switched(collection)


def _people_each(rows: Sequence[Keys], people: Sequence[EnrolledIdentity]) -> NDArray[np.intp]:
    """Return how many identities own each probe's hits, shape (n,)."""
    place = {key: at for at, each in enumerate(people) for key in each.keys.tolist()}
    return np.array([len({place[key] for key in row.tolist() if key in place}) for row in rows], np.intp)
