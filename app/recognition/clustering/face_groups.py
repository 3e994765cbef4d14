"""Values of clustering: the faces to group, and their groups. Pure."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.types import Floats

Numbers = NDArray[np.int64]
"""Numbers of faces, photos or groups; the docstring of each function states the shape."""

NO_GROUP: Final = 0
"""The id of faces that are in no group."""

Pairs = tuple[tuple[int, int], ...]
"""Pairs of places of faces."""


@dataclass(frozen=True, slots=True)
class FacesToGroup:
    """Faces to group. All arrays have one row for each face.

    Args:
        vectors: Vectors (n, d) of a `Scoring`, whose dot products are similarities.
        qualities: Quality of each face (n,), 0..1.
        photos: Number of the photo of each face (n,), any integers. Two faces of one photo never share a group, unless
            `together` or their earlier group puts them there.
        apart: Pairs of faces of different people, as a person has decided: places 0..n-1. Their groups never become
            one. A pair inside an earlier group, or inside a set of `together`, has no effect.
        together: Pairs of faces of one person, as a person has decided.
        apart_groups: Pairs of earlier ids of different people: "not the same", for all faces that are in these groups.
    """

    vectors: Floats
    qualities: Floats
    photos: Numbers
    apart: Pairs = ()
    together: Pairs = ()
    apart_groups: Pairs = ()


@dataclass(frozen=True, slots=True)
class FaceGroups:
    """Groups of faces: `ids` (n,) has the id of each face's group, from 1; `NO_GROUP` (0) marks a face in no group.

    Args:
        ids: See above.
        last_id: Highest id that was ever given. New groups get higher ones, so ids are never used again.
        merged: Earlier groups that are now part of another one: their id, and the id of the group that has their faces.
    """

    ids: Numbers
    last_id: int = 0
    merged: dict[int, int] = field(default_factory=dict)

    @classmethod
    def none(cls, faces: int) -> "FaceGroups":
        """Return the state before anything is grouped."""
        return cls(np.zeros(faces, np.int64))
