"""Agglomeration: the most similar clusters merge, until no two reach the threshold. Pure.

Each round merges all pairs that are nearest to each other (reciprocal nearest neighbours: Murtagh, "A survey of recent
advances in hierarchical clustering algorithms", The Computer Journal 1983). All similarities are exact. They are
computed in blocks, so memory grows with the number of clusters only. After a round, only clusters that changed, or
whose nearest cluster did, are compared again.
"""

import numpy as np
from numpy.typing import NDArray

from app.recognition.clustering.clusters import Clusters, ComparableTemplates, single_similarities
from app.recognition.clustering.face_groups import Numbers
from app.recognition.clustering.separation import Separation
from app.recognition.decisions.calibration.error_rates import RateCurve
from app.types import Floats

_AT_ONCE = 1 << 21  # similarities: 8 MB

Marks = NDArray[np.bool_]


class Agglomeration:
    """Merges clusters (m,). `owner` (m,) is the cluster that now has the faces of each of them."""

    def __init__(
        self, clusters: Clusters, separation: Separation, curve: RateCurve | None, *, is_waiting: Marks, is_fixed: Marks
    ) -> None:
        """Start with separate clusters.

        Args:
            clusters: Clusters (m,) with one face or more.
            separation: Which of them must stay apart.
            curve: Calibration; None compares similarities of any templates as they are.
            is_waiting: Clusters (m,) that take no part in `run`; `join` adds them to others.
            is_fixed: Clusters (m,) that never merge with each other.
        """
        self._clusters = clusters
        self._separation = separation
        self._curve = curve
        self._is_waiting = is_waiting
        self._is_fixed = is_fixed.copy()
        count = len(clusters.sizes)
        self._nearest: Numbers = np.full(count, -1, np.int64)
        self._similarity: Floats = np.full(count, -np.inf, np.float32)
        self.owner: Numbers = np.arange(count, dtype=np.int64)

    def run(self, threshold: float) -> None:
        """Merge clusters until no two that may become one reach the threshold."""
        changed = self._alive()
        while len(changed):
            self._compare(changed, self._alive())
            kept, gone = self._reciprocal(threshold)
            has_lost = np.isin(self._nearest, np.concatenate([kept, gone])) & (self._similarity >= threshold)
            self._merge(kept, gone)
            has_lost[kept] = True
            has_lost[gone] = False
            changed = np.flatnonzero(has_lost) if len(kept) else kept

    def join(self, threshold: float) -> None:
        """Add each waiting cluster to its nearest one if this reaches the threshold, the most similar first."""
        waiting = np.flatnonzero(self._is_waiting)
        self._compare(waiting, self._alive())
        for cluster in waiting[np.argsort(-self._similarity[waiting], kind="stable")].tolist():
            nearest = int(self._nearest[cluster])
            if self._similarity[cluster] >= threshold and cluster not in self._separation.from_(nearest):
                self._merge(np.array([nearest]), np.array([cluster]))

    def _comparable(self, clusters: Numbers) -> ComparableTemplates:
        stretch = 0.0 if self._curve is None else self._curve.template_stretch
        return ComparableTemplates.of(self._clusters.templates(clusters), self._clusters.sizes[clusters], stretch)

    def _alive(self) -> Numbers:
        return np.flatnonzero((self._clusters.sizes > 0) & ~self._is_waiting)

    def _compare(self, changed: Numbers, others: Numbers) -> None:
        """Find the nearest of `others` for each changed cluster, and the others to which it is now the nearest."""
        self._similarity[changed] = -np.inf
        if not len(others):
            return
        place = np.full(len(self.owner), -1, np.intp)
        place[others] = np.arange(len(others))
        columns = self._comparable(others)
        step = max(_AT_ONCE // len(others), 1)
        is_all = len(changed) == len(others)
        for start in range(0, len(changed), step):
            rows = changed[start : start + step]
            found = single_similarities(self._comparable(rows), columns, self._curve)
            self._exclude(found, rows, others, place)
            best = found.argmax(axis=1)
            self._take(rows, others[best], found[np.arange(len(rows)), best])
            if not is_all:
                best = found.argmax(axis=0)
                self._take(others, rows[best], found[best, np.arange(len(others))])

    def _exclude(self, found: Floats, rows: Numbers, others: Numbers, place: NDArray[np.intp]) -> None:
        """Set similarities (r, o) to -inf between a cluster and itself, and between clusters that must not merge."""
        for row, cluster in enumerate(rows.tolist()):
            apart = place[[cluster, *self._separation.from_(cluster)]]
            found[row, apart[apart >= 0]] = -np.inf
        is_fixed = self._is_fixed[others]
        if is_fixed.any():
            found[np.ix_(self._is_fixed[rows], is_fixed)] = -np.inf

    def _take(self, clusters: Numbers, nearest: Numbers, similarities: Floats) -> None:
        """Update the nearest cluster of each of these (k,) if the new one is nearer."""
        is_nearer = similarities > self._similarity[clusters]
        self._similarity[clusters[is_nearer]] = similarities[is_nearer]
        self._nearest[clusters[is_nearer]] = nearest[is_nearer]

    def _reciprocal(self, threshold: float) -> tuple[Numbers, Numbers]:
        """Return the pairs (k,), (k,) that are nearest to each other and reach the threshold, lower numbers first."""
        active = np.flatnonzero((self._similarity >= threshold) & (self._clusters.sizes > 0) & ~self._is_waiting)
        nearest = self._nearest[active]
        is_pair = (self._nearest[nearest] == active) & (active < nearest)
        if is_pair.any() or not len(active):
            return active[is_pair], nearest[is_pair]
        # Rounding makes a similarity differ by direction. The most similar pair is correct in any case.
        best = int(self._similarity[active].argmax())
        pair = np.sort([active[best], nearest[best]])
        return pair[:1], pair[1:]

    def _merge(self, kept: Numbers, gone: Numbers) -> None:
        """Give the faces of each cluster of `gone` (k,) to the one of `kept` (k,)."""
        self._clusters.merge(kept, gone)
        self._is_fixed[kept] |= self._is_fixed[gone]
        self._similarity[gone] = -np.inf
        moved = np.arange(len(self.owner))
        moved[gone] = kept
        self.owner = moved[self.owner]
        for one, other in zip(kept.tolist(), gone.tolist(), strict=True):
            self._separation.merge(one, other)
