"""Photos turned so that a face is upright, as the networks of liveness know faces. Pure."""

import numpy as np

from app.types import Box, Floats, Pixels


def turns_to_upright(landmarks: Floats) -> int:
    """Return the number of quarter turns to the left, 0 to 3, that make a face with landmarks (5, 2) upright."""
    right, down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)  # from the eyes to the mouth
    if abs(down) >= abs(right):
        return 0 if down >= 0 else 2
    return 3 if right > 0 else 1


def turned(pixels: Pixels, turns: int) -> Pixels:
    """Return a photo (height, width, 3) after quarter turns to the left."""
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def turned_box(box: Box, shape: tuple[int, ...], turns: int) -> Box:
    """Return a box of a photo of `shape` (height, width, ...) after quarter turns to the left."""
    height, width = shape[:2]
    for _ in range(turns):
        left, top, right, bottom = box
        box = (top, width - right, bottom, width - left)
        height, width = width, height
    return box
