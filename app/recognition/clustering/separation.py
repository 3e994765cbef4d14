"""Clusters that must not become one: they have faces of one photo, or a person has decided it. Pure."""

from collections.abc import Iterable, Sequence


class Separation:
    """Which clusters must stay apart."""

    def __init__(self, photos: Sequence[int], cluster: Sequence[int], apart: Iterable[tuple[int, int]]) -> None:
        """Take the photo (n,) and the cluster (n,) of each face, and pairs of clusters that a person has set apart."""
        of_photo: dict[int, set[int]] = {}
        for photo, number in zip(photos, cluster, strict=True):
            of_photo.setdefault(photo, set()).add(number)
        self._clusters_of = {photo: found for photo, found in of_photo.items() if len(found) > 1}
        self._photos_of: dict[int, set[int]] = {}
        for photo, found in self._clusters_of.items():
            for number in found:
                self._photos_of.setdefault(number, set()).add(photo)
        self._apart: dict[int, set[int]] = {}
        for one, other in apart:
            if one != other:
                self._apart.setdefault(one, set()).add(other)
                self._apart.setdefault(other, set()).add(one)

    def from_(self, cluster: int) -> set[int]:
        """Return the clusters that a cluster must stay apart from."""
        photos = self._photos_of.get(cluster, ())
        found = set[int]().union(self._apart.get(cluster, ()), *(self._clusters_of[photo] for photo in photos))
        found.discard(cluster)
        return found

    def merge(self, kept: int, gone: int) -> None:
        """Make the faces of `gone` faces of `kept`."""
        photos = self._photos_of.pop(gone, set())
        for photo in photos:
            self._clusters_of[photo].discard(gone)
            self._clusters_of[photo].add(kept)
        if photos:
            self._photos_of.setdefault(kept, set()).update(photos)
        others = self._apart.pop(gone, set())
        for other in others:
            self._apart[other].discard(gone)
            self._apart[other].add(kept)
        if others:
            self._apart.setdefault(kept, set()).update(others)
