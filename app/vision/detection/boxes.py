"""Overlap of boxes and non-maximum suppression; pure."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.types import Floats

Mode = Literal["union", "min"]

MOST_BOXES = 4000
"""Most boxes that are compared with each other; the best ones are kept.

A hundred faces give about a thousand boxes, a photo full of texture tens of thousands (benchmarks/crowd.py).
"""


def nms(boxes: Floats, scores: Floats, overlap: float, mode: Mode = "union") -> NDArray[np.intp]:
    """Keep the best box of every cluster (greedy non-maximum suppression).

    A box is removed if it overlaps a better one that is kept by more than `overlap`. Of equal scores the earlier is
    better. Boxes after the best MOST_BOXES are removed too.

    Args:
        boxes: Boxes (n, 4), xyxy.
        scores: Finite scores (n,).
        overlap: Largest overlap of two boxes that are both kept, 0..1.
        mode: See `overlaps`.

    Returns:
        The indices of the boxes that are kept, best first.
    """
    candidates = np.argsort(-scores, kind="stable")[:MOST_BOXES]
    kept = []
    while candidates.size:
        best, candidates = candidates[0], candidates[1:]
        kept.append(best)
        candidates = candidates[overlaps(boxes[best], boxes[candidates], mode) <= overlap]
    return np.array(kept, np.intp)


def overlaps(box: Floats, others: Floats, mode: Mode = "union") -> Floats:
    """Return the overlap (n,) of `box` (4,) with each of `others` (n, 4), 0..1.

    The overlap is the shared area divided by the area of the union, or of the smaller box ("min"). It is 0 if the
    divisor is 0.
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    area, areas = area_of(box), area_of(others)
    whole = area + areas - shared if mode == "union" else np.minimum(area, areas)
    shares: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return shares


def area_of(boxes: Floats) -> Floats:
    """Return the areas (...) of boxes (..., 4); 0 if right < left or bottom < top."""
    sides: Floats = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    areas: Floats = sides[..., 0] * sides[..., 1]
    return areas
