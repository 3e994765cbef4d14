"""Templates of aligned faces: where networks expect the five landmarks. Pure."""

from dataclasses import dataclass

import numpy as np

from app.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class FaceTemplate:
    """The five landmarks (5, 2) of an aligned face, in pixels of a crop of `side` x `side`."""

    landmarks: Floats
    side: int


# By the name in a manifest. ArcFace: Deng et al., "ArcFace", CVPR 2019; the values are those of InsightFace's
# `arcface_dst`. Open Model Zoo's networks for faces have the template in the documentation of
# `face-reidentification-retail-0095`, which gives relative coordinates.
TEMPLATES = {
    "arcface-112": FaceTemplate(
        np.array(
            [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
            dtype=np.float32,
        ),
        side=112,
    ),
    "zoo-128": FaceTemplate(
        128
        * np.array(
            [
                [0.31556875, 0.4615741071],
                [0.6826229167, 0.4615741071],
                [0.5002625, 0.6405053571],
                [0.349471875, 0.8246919643],
                [0.6534364583, 0.8246919643],
            ],
            dtype=np.float32,
        ),
        side=128,
    ),
}


def upright_transform(source: Floats, target: Floats) -> tuple[float, tuple[float, float]]:
    """Return the scale and the offset (x, y) of the least-squares similarity without rotation.

    Args:
        source: Points (5, 2).
        target: Points (5, 2) to which they are moved.
    """
    start, end = source.astype(np.float64), target.astype(np.float64)
    from_centre, to_centre = start.mean(axis=0), end.mean(axis=0)
    centred = start - from_centre
    scale = float((centred * (end - to_centre)).sum() / (centred * centred).sum())
    x, y = (to_centre - scale * from_centre).tolist()
    return scale, (x, y)
