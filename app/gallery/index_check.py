"""Comparison of an index with the database."""

from dataclasses import dataclass

import numpy as np

from app.gallery.index.protocol import VectorIndex
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from app.types import Keys

# Indexes keep vectors as float16: a component of a unit vector is off by at most half of 2**-11.
_ROUNDING = 2.0**-11


@dataclass(frozen=True, slots=True)
class Differences:
    """Keys of faces that are only in the database, only in the index, or in both with different vectors or owners."""

    missing: Keys
    foreign: Keys
    changed: Keys

    def is_empty(self) -> bool:
        """Return whether index and database agree."""
        return not (len(self.missing) or len(self.foreign) or len(self.changed))


def differences(store: IdentityStore, collection: Collection, index: VectorIndex) -> Differences:
    """Compare every face of a collection with the index, some thousand at a time."""
    missing, changed, enrolled = [_none()], [_none()], [_none()]
    for keys, vectors, owners in store.templates(collection):
        indexed = index.vectors(keys)
        is_missing = np.isnan(indexed[:, 0])
        is_changed = ~is_missing & (np.abs(indexed - vectors).max(axis=1) > _ROUNDING)
        indexed_owners = index.owners(keys)
        if indexed_owners is not None:
            is_changed |= ~is_missing & (indexed_owners != owners)
        missing.append(keys[is_missing])
        changed.append(keys[is_changed])
        enrolled.append(keys)
    foreign = np.setdiff1d(index.keys(), np.concatenate(enrolled))
    return Differences(np.concatenate(missing), foreign, np.concatenate(changed))


def _none() -> Keys:
    return np.empty(0, np.int64)
