"""Learning from probes: running moments of their similarities to the people of a gallery.

No template and no score of a probe is kept. For each probe, the mean and the mean square of its similarities to some
people of the gallery are added to sums in memory, which the calibration worker moves to the database.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from app.gallery.store.calibration_state import ProbeSums
from app.gallery.store.values import Collection
from app.types import Floats, Keys

_MOST_PEOPLE = 500
"""People of a sample: a probe costs less than 0.1 ms."""
_LEAST_PEOPLE = 10
_MOST_COLLECTIONS = 200
"""Samples in memory; the collection without a probe for the longest time loses its sample first."""


@dataclass(frozen=True, slots=True)
class ProbeReference:
    """One face each of some people: keys (n,), vectors (n, d) of the collection's scoring, ids of the people (n).

    A face that is more similar to a probe than `below` is taken for the probe's own person, and does not count.
    `revision` and `identities` are the collection's.
    """

    keys: Keys
    vectors: Floats
    identity_ids: tuple[str, ...]
    below: float
    revision: int
    identities: int

    def limited(self) -> "ProbeReference":
        """Return the first people of the sample, as many as probes are compared with."""
        return self.only(range(min(len(self.keys), _MOST_PEOPLE)))

    def only(self, places: Sequence[int]) -> "ProbeReference":
        """Return some people of the sample."""
        ids = tuple(self.identity_ids[place] for place in places)
        chosen = list(places)
        return replace(self, keys=self.keys[chosen], vectors=self.vectors[chosen], identity_ids=ids)

    def still(self, enrolled: AbstractSet[int], revision: int) -> "ProbeReference":
        """Return the people of the sample whose faces are still enrolled at a later revision."""
        kept = [place for place, key in enumerate(self.keys.tolist()) if key in enrolled]
        return replace(self.only(kept), revision=revision)

    def sums(self, probes: Floats, matches: Sequence[str | None]) -> ProbeSums:
        """Return the sums over probes (n, d), each without the faces of its match and of look-alikes."""
        similarities = (probes @ self.vectors.T).astype(np.float64)
        is_other = similarities < self.below
        for probe, match in enumerate(matches):
            if match in self.identity_ids:
                is_other[probe, self.identity_ids.index(match)] = False
        counts = is_other.sum(axis=1)
        is_usable = counts >= _LEAST_PEOPLE
        similarities, counts = np.where(is_other, similarities, 0)[is_usable], counts[is_usable]
        means, squares = (values.sum(axis=1) / counts for values in (similarities, similarities**2))
        return ProbeSums(len(counts), float(len(counts)), float(means.sum()), float(squares.sum()))


class ProbeLearning:
    """Running moments of the probes of this process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._references: OrderedDict[str, ProbeReference | None] = OrderedDict()
        self._sums: dict[str, ProbeSums] = {}

    def learn(self, collection: Collection, probes: Floats, matches: Sequence[str | None]) -> None:
        """Add probes (n, d), vectors of the collection's scoring, and the people they match.

        The first probes of a collection are only a reason to take a sample of its people.
        """
        with self._lock:
            reference = self._references.setdefault(collection.uid, None)
            self._references.move_to_end(collection.uid)
            while len(self._references) > _MOST_COLLECTIONS:
                self._references.popitem(last=False)
        if reference is None or not len(probes):
            return
        new = reference.sums(probes, matches)
        with self._lock:
            self._sums[collection.uid] = _added(self._sums.get(collection.uid, ProbeSums()), new)

    def is_wanted(self, collection: Collection) -> bool:
        """Return whether probes of a collection were seen lately."""
        return collection.uid in self._references

    def reference(self, collection: Collection) -> ProbeReference | None:
        """Return the sample of a collection's people."""
        return self._references.get(collection.uid)

    def set_reference(self, collection: Collection, reference: ProbeReference) -> None:
        """Replace the sample of a collection's people."""
        with self._lock:
            if collection.uid in self._references:
                self._references[collection.uid] = reference.limited()

    def keep_only(self, uids: AbstractSet[str]) -> None:
        """Forget the people and sums of all other collections, such as deleted ones."""
        with self._lock:
            for uid in self._references.keys() - uids:
                del self._references[uid]
            for uid in self._sums.keys() - uids:
                del self._sums[uid]

    def take(self, collection: Collection) -> ProbeSums:
        """Return the sums since the last call, which then start again."""
        with self._lock:
            return self._sums.pop(collection.uid, ProbeSums())


def _added(one: ProbeSums, other: ProbeSums) -> ProbeSums:
    return ProbeSums(
        one.probes + other.probes, one.weight + other.weight, one.total + other.total, one.squares + other.squares
    )
