"""Grouping of faces, also as their number grows. Pure."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.recognition.clustering.agglomeration import Agglomeration
from app.recognition.clustering.clusters import Clusters
from app.recognition.clustering.face_groups import NO_GROUP, FaceGroups, FacesToGroup, Numbers, Pairs
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.clustering.separation import Separation


def group_faces(faces: FacesToGroup, earlier: FaceGroups, rule: GroupingRule) -> FaceGroups:
    """Return the groups of faces.

    Args:
        faces: All faces, those that were grouped earlier and new ones, in any order. Deleted faces are left out.
        earlier: The groups of these faces before, in the order of `faces`; `NO_GROUP` for new faces. The caller may
            have changed them: to split a group, give some of its faces an id above `last_id`, and note it in
            `last_id` and `apart_groups`. To take a face out of a group, set `NO_GROUP` and note it in `apart`.
        rule: How groups are made.

    Stability:

    - No face leaves its earlier group or moves to another one, and the group keeps its id, even with one face left.
    - Two earlier groups stay two groups, unless `together` has a face of each, or `rule.joins_groups` is set and their
      templates are as similar as the rule asks for. Then the lower id stays, and `merged` names the other one.
    - A face in no group may be in one after the next call. If they are similar, it joins an earlier group or forms a
      new one with other faces in no group.
    - A new group has two faces or more, and an id above `last_id`. New ids follow the order of the groups' first faces
      in `faces`. An id is never used again.
    - The same call has the same result. Another order of the faces makes the same groups; only the numbers of new
      groups may differ, and the choice among exactly equal similarities.

    All similarities are exact. Time is O(n²) for n groups and single faces, in blocks; memory is O(n).
    """
    count = len(faces.vectors)
    cluster = _first_clusters(earlier.ids, faces.together)
    is_earlier = _marked(cluster, earlier.ids != NO_GROUP)
    sizes = np.bincount(cluster, minlength=len(is_earlier))
    is_good = _marked(cluster, faces.qualities >= rule.least_quality)
    work = Agglomeration(
        Clusters(faces.vectors, faces.qualities, cluster),
        Separation(faces.photos.tolist(), cluster.tolist(), _apart(faces, earlier.ids, cluster)),
        rule.curve,
        is_waiting=~is_good & ~is_earlier & (sizes == 1),
        is_fixed=is_earlier & (not rule.joins_groups),
    )
    threshold = rule.threshold(count)
    work.run(threshold)
    work.join(threshold)
    return _with_ids(work.owner[cluster], earlier)


def _first_clusters(ids: Numbers, together: Pairs) -> Numbers:
    """Return the number (n,) from 0 of the cluster with which each face starts: its earlier group, or itself."""
    _, start = np.unique(np.where(ids == NO_GROUP, -np.arange(1, len(ids) + 1), ids), return_inverse=True)
    parent = list(range(int(start.max(initial=-1)) + 1))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for one, other in together:
        low, high = sorted((root(int(start[one])), root(int(start[other]))))
        parent[high] = low
    _, cluster = np.unique(np.array([root(each) for each in start.tolist()], np.int64), return_inverse=True)
    return cluster.astype(np.int64)


def _marked(cluster: Numbers, is_marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the clusters (m,) with a marked face."""
    return np.bincount(cluster, is_marked, minlength=int(cluster.max(initial=-1)) + 1) > 0


def _apart(faces: FacesToGroup, ids: Numbers, cluster: Numbers) -> Iterator[tuple[int, int]]:
    """Yield the pairs of clusters that a person has set apart."""
    for one, other in faces.apart:
        yield int(cluster[one]), int(cluster[other])
    first_of = {int(number): int(place) for number, place in zip(*np.unique(ids, return_index=True), strict=True)}
    for one, other in faces.apart_groups:
        if one in first_of and other in first_of:
            yield int(cluster[first_of[one]]), int(cluster[first_of[other]])


def _with_ids(cluster: Numbers, earlier: FaceGroups) -> FaceGroups:
    """Return the groups of clusters (n,): the lowest earlier id of their faces, or else a new one if they are two."""
    _, place, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    none = np.iinfo(np.int64).max
    lowest = np.full(len(sizes), none, np.int64)
    np.minimum.at(lowest, place, np.where(earlier.ids == NO_GROUP, none, earlier.ids))
    last_id = max(earlier.last_id, int(earlier.ids.max(initial=0)))
    for each in dict.fromkeys(place.tolist()):  # in the order of their first faces
        if lowest[each] == none:
            is_group = sizes[each] > 1
            last_id += int(is_group)
            lowest[each] = last_id if is_group else NO_GROUP
    ids = lowest[place]
    is_merged = (earlier.ids != NO_GROUP) & (earlier.ids != ids)
    return FaceGroups(ids, last_id, dict(zip(earlier.ids[is_merged].tolist(), ids[is_merged].tolist(), strict=True)))
