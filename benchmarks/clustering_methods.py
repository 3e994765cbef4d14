"""Ways to cluster faces that `benchmarks/clustering.py` compares, each with the values of its parameters to try."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.recognition.clustering.face_groups import FaceGroups, FacesToGroup, Numbers
from app.recognition.clustering.grouping import group_faces
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.decisions.calibration.error_rates import Calibration

Similarities = NDArray[np.float32]
Cluster = Callable[[FacesToGroup], Numbers]
"""Faces -> the number of each face's cluster (n,), from 1; 0 for none."""

_THRESHOLDS = tuple(round(float(each), 3) for each in np.arange(0.3, 0.66, 0.02))

_MAX_FALSE = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to cluster, with the settings that are tried; `settings` names one of them."""

    name: str
    settings: tuple[tuple[str, Cluster], ...]


def all_methods(calibration: Calibration) -> Iterator[Method]:
    """Yield the methods; those of libraries need scikit-learn, igraph and leidenalg."""
    rule = GroupingRule(calibration)
    yield _method("ArcID", _arcid(rule), max_false=_MAX_FALSE)
    yield _method("ArcID, as it ships", _arcid(rule), max_false=(rule.max_false,))
    yield _method("connected components, calibrated", _calibrated_components(rule), max_false=_MAX_FALSE)
    yield _method("connected components", _components, threshold=_THRESHOLDS)
    yield _method("Chinese whispers", _whispers, threshold=_THRESHOLDS)
    yield _method("rank order", _rank_order, limit=(0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0), k=(10, 20, 50))
    yield _method("average linkage (scikit-learn)", partial(_linkage, "average"), threshold=_THRESHOLDS)
    yield _method("complete linkage (scikit-learn)", partial(_linkage, "complete"), threshold=_THRESHOLDS)
    yield _method("DBSCAN (scikit-learn)", _dbscan, threshold=_THRESHOLDS, least=(2, 3))
    yield _method("HDBSCAN (scikit-learn)", _hdbscan, samples=(1, 2, 3), kind=("eom", "leaf"))
    yield _method(
        "Leiden, CPM (leidenalg)", _leiden, threshold=(0.3, 0.35, 0.4, 0.45), resolution=(0.02, 0.05, 0.1, 0.2, 0.4)
    )


def _method(name: str, cluster: Callable[..., Numbers], **grid: tuple[Any, ...]) -> Method:
    choices = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    return Method(
        name,
        tuple(
            (", ".join(f"{key} {value}" for key, value in each.items()), partial(cluster, **each)) for each in choices
        ),
    )


def _arcid(rule: GroupingRule) -> Callable[..., Numbers]:
    def cluster(faces: FacesToGroup, *, max_false: float) -> Numbers:
        return group_faces(faces, FaceGroups.none(len(faces.vectors)), replace(rule, max_false=max_false)).ids

    return cluster


def _calibrated_components(rule: GroupingRule) -> Callable[..., Numbers]:
    """Return connected components with ArcID's threshold, so that only the linkage differs."""

    def cluster(faces: FacesToGroup, *, max_false: float) -> Numbers:
        return _components(faces, threshold=replace(rule, max_false=max_false).threshold(len(faces.vectors)))

    return cluster


def _similarities(faces: FacesToGroup) -> Similarities:
    found = np.clip(faces.vectors @ faces.vectors.T, -1, 1)
    np.fill_diagonal(found, 1)
    return np.asarray(found, np.float32)


def _components(faces: FacesToGroup, *, threshold: float) -> Numbers:
    return _connected(_similarities(faces) >= threshold)


def _connected(is_linked: NDArray[np.bool_]) -> Numbers:
    ids = np.zeros(len(is_linked), np.int64)
    for start in range(len(ids)):
        waiting = [] if ids[start] else [start]
        while waiting:
            place = waiting.pop()
            if not ids[place]:
                ids[place] = start + 1
                waiting += np.flatnonzero(is_linked[place] & (ids == 0)).tolist()
    return ids


def _whispers(faces: FacesToGroup, *, threshold: float, rounds: int = 20) -> Numbers:
    """Chinese whispers (Biemann 2006), as dlib does it: each face takes the label with the most weight around it."""
    weights = _similarities(faces)
    np.fill_diagonal(weights, 0)
    weights[weights < threshold] = 0
    rng, ids = np.random.default_rng(0), np.arange(1, len(weights) + 1, dtype=np.int64)
    near = [np.flatnonzero(row) for row in weights]
    for _ in range(rounds):
        for place in rng.permutation(len(ids)).tolist():
            if len(near[place]):
                labels, which = np.unique(ids[near[place]], return_inverse=True)
                ids[place] = labels[np.bincount(which, weights[place, near[place]]).argmax()]
    return ids


def _rank_order(faces: FacesToGroup, *, limit: float, k: int) -> Numbers:
    """Approximate rank order (Otto, Wang, Jain: "Clustering millions of faces by identity", TPAMI 2018)."""
    order = np.argsort(-_similarities(faces), axis=1)[:, : k + 1]
    ranks = [dict(zip(row.tolist(), range(len(row)), strict=True)) for row in order]

    def absent(one: int, other: int) -> int:
        return sum(each not in ranks[other] for each in order[one, : ranks[one][other] + 1].tolist())

    is_linked = np.zeros((len(order), len(order)), np.bool_)
    for one, row in enumerate(order.tolist()):
        for other in row[1:]:
            if one in ranks[other]:
                distance = (absent(one, other) + absent(other, one)) / max(min(ranks[one][other], ranks[other][one]), 1)
                is_linked[one, other] = is_linked[other, one] = distance <= limit
    return _connected(is_linked)


def _linkage(kind: str, faces: FacesToGroup, *, threshold: float) -> Numbers:
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415 - in a separate installation

    found = AgglomerativeClustering(None, metric="precomputed", linkage=kind, distance_threshold=1 - threshold)
    return np.asarray(found.fit_predict(_distances(faces)) + 1, np.int64)


def _dbscan(faces: FacesToGroup, *, threshold: float, least: int) -> Numbers:
    from sklearn.cluster import DBSCAN  # noqa: PLC0415 - in a separate installation

    found = DBSCAN(eps=1 - threshold, min_samples=least, metric="precomputed")
    return np.asarray(found.fit_predict(_distances(faces)) + 1, np.int64)


def _hdbscan(faces: FacesToGroup, *, samples: int, kind: str) -> Numbers:
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - in a separate installation

    found = HDBSCAN(
        min_cluster_size=2,
        min_samples=samples,
        metric="precomputed",
        cluster_selection_method=kind,
        copy=True,
    )
    return np.asarray(np.maximum(found.fit_predict(_distances(faces)) + 1, 0), np.int64)


def _leiden(faces: FacesToGroup, *, threshold: float, resolution: float) -> Numbers:
    import igraph  # noqa: PLC0415 - in a separate installation
    import leidenalg  # noqa: PLC0415 - as above

    weights = np.triu(_similarities(faces), 1)
    one, other = np.nonzero(weights >= threshold)
    graph = igraph.Graph(len(weights), list(zip(one.tolist(), other.tolist(), strict=True)))
    found = leidenalg.find_partition(
        graph,
        leidenalg.CPMVertexPartition,
        weights=weights[one, other].tolist(),
        resolution_parameter=resolution,
        seed=0,
    )
    return np.asarray(found.membership, np.int64) + 1


def _distances(faces: FacesToGroup) -> NDArray[np.float64]:
    return np.asarray(1 - _similarities(faces), np.float64)
