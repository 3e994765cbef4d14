"""Overlap of boxes and non-maximum suppression; pure."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.types import Floats

Mode = Literal["union", "min"]

MOST_BOXES = 4000
"""Boxes that are compared with each other, the best ones: a photo full of texture gives tens of thousands.

Of a hundred faces a network gives about a thousand (benchmarks/crowd.py).
"""


def nms(boxes: Floats, scores: Floats, overlap: float, mode: Mode = "union") -> NDArray[np.intp]:
    """Keep the best box of every cluster: greedy non-maximum suppression.

    `boxes` (n, 4) xyxy, `scores` (n,), finite. A box goes when it overlaps a better one that stays by more than
    `overlap` (0..1); of equal scores the earlier is the better. Boxes beyond the best MOST_BOXES go as well. Returns
    the indices kept, best first.
    """
    waiting = np.argsort(-scores, kind="stable")[:MOST_BOXES]
    kept = []
    while waiting.size:
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        waiting = waiting[overlaps(boxes[best], boxes[waiting], mode) <= overlap]
    return np.array(kept, np.intp)


def overlaps(box: Floats, others: Floats, mode: Mode = "union") -> Floats:
    """Return the area that `box` (4,) shares with each of `others` (n, 4), as a share (n,) in 0..1.

    A share of the two boxes' union, or of the smaller one ("min"); 0 where that has no area.
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    area, areas = area_of(box), area_of(others)
    whole = area + areas - shared if mode == "union" else np.minimum(area, areas)
    shares: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return shares


def area_of(boxes: Floats) -> Floats:
    """Return the areas (...) of boxes (..., 4); 0 for one turned inside out."""
    sides: Floats = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    areas: Floats = sides[..., 0] * sides[..., 1]
    return areas
