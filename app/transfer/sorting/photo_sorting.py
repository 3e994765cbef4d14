"""Sorting: the faces of photos are found by threads, and grouped together with those of earlier runs."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from app.errors import ArcidError, ItemInvalid, PhotoRefused
from app.recognition.clustering.face_groups import NO_GROUP, FaceGroups, FacesToGroup
from app.recognition.clustering.grouping import group_faces
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.decisions.scoring import Scoring
from app.transfer.photo_folders import read_file
from app.transfer.sorting.photo_tree import TreePhoto
from app.transfer.sorting.sorting_state import SortedFace, SortingState

FindFaces = Callable[[bytes], tuple[SortedFace, ...]]
"""Photo -> its faces, the most prominent first; raises PhotoRefused. Several threads may call it at once."""

_AT_ONCE: Final = 256  # photos, of which the results are kept if a run is interrupted


class Place(StrEnum):
    """Why a face is in no group."""

    ALONE = "alone"
    LOW_QUALITY = "low_quality"


@dataclass(frozen=True, slots=True)
class SortedPhoto:
    """A photo with its faces; `error` if it was refused. A photo without a face has neither."""

    photo: TreePhoto
    sha256: str | None = None
    faces: tuple[SortedFace, ...] = ()
    error: ArcidError | None = None

    @property
    def groups(self) -> list[int]:
        """The groups of its faces, in the order of the faces."""
        return list(dict.fromkeys(face.group for face in self.faces if face.group != NO_GROUP))

    @property
    def is_unsure(self) -> bool:
        """Whether it shows faces, and none is in a group."""
        return bool(self.faces) and not self.groups


@dataclass(frozen=True, slots=True)
class PhotoSorting:
    """Sorts photos by the people on them.

    Args:
        find_faces: See `FindFaces`.
        scoring: Makes the similarities.
        rule: How groups are made.
        threads: Number of photos that are analysed at once.
        most_bytes: Largest photo that is read.
    """

    find_faces: FindFaces
    scoring: Scoring
    rule: GroupingRule
    threads: int
    most_bytes: int

    def sort(
        self, photos: Sequence[TreePhoto], state: SortingState, advance: Callable[[int], None] = lambda _: None
    ) -> list[SortedPhoto]:
        """Return the photos with the groups of their faces, in order.

        Photos that `state` knows are not analysed again, and their faces stay in their groups. `state` then has exactly
        these photos. If the work is interrupted, it has those that were analysed, in addition.
        """
        results: list[SortedPhoto] = []
        known = dict(state.faces)
        with ThreadPoolExecutor(self.threads, "arcid-cluster") as pool:
            for start in range(0, len(photos), _AT_ONCE):
                for result in pool.map(lambda photo: self._analyse(photo, known), photos[start : start + _AT_ONCE]):
                    results.append(result)
                    if result.sha256 is not None:
                        state.faces.setdefault(result.sha256, result.faces)
                    advance(1)
        present = {each.sha256 for each in results}
        state.faces = {sha256: faces for sha256, faces in state.faces.items() if sha256 in present}
        self._group(state)
        return [each if each.sha256 is None else replace(each, faces=state.faces[each.sha256]) for each in results]

    def place(self, face: SortedFace) -> Place | None:
        """Return why a face is in no group; None if it is in one."""
        if face.group != NO_GROUP:
            return None
        return Place.LOW_QUALITY if face.quality < self.rule.least_quality else Place.ALONE

    def _analyse(self, photo: TreePhoto, known: dict[str, tuple[SortedFace, ...]]) -> SortedPhoto:
        try:
            data = read_file(photo.path, self.most_bytes)
            sha256 = hashlib.sha256(data).hexdigest()
            faces = known[sha256] if sha256 in known else self.find_faces(data)
        except (PhotoRefused, ItemInvalid) as error:
            return SortedPhoto(photo, error=error)
        return SortedPhoto(photo, sha256, faces)

    def _group(self, state: SortingState) -> None:
        """Set the groups of all faces."""
        faces = [face for found in state.faces.values() for face in found]
        if not faces:
            return
        norms = np.array([face.norm for face in faces], np.float32)
        to_group = FacesToGroup(
            self.scoring.vectors(np.array([face.vector for face in faces], np.float32), norms),
            np.array([face.quality for face in faces], np.float32),
            np.repeat(np.arange(len(state.faces)), [len(found) for found in state.faces.values()]),
        )
        earlier = FaceGroups(np.array([face.group for face in faces], np.int64), state.last_id)
        groups = group_faces(to_group, earlier, self.rule)
        ids = iter(groups.ids.tolist())
        state.last_id = groups.last_id
        state.faces = {
            photo: tuple(replace(face, group=next(ids)) for face in found) for photo, found in state.faces.items()
        }
