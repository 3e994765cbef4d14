"""What a margin means, in angles. NumPy, float64."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.training.losses.curves import target_logit
from app.training.losses.spec import LossSpec

Doubles = NDArray[np.float64]

BINS = 90
_STEPS = 4001


@dataclass(frozen=True, slots=True)
class Thetas:
    """Shares of angles in `BINS` equal bins from 0 to pi: of faces with their own class, and with all others."""

    genuine: Doubles
    impostor: Doubles


def boundary(spec: LossSpec, theta: Doubles) -> Doubles:
    """Return how far (radians) a face must be from the other of two classes, at least, to count as the first's.

    `theta` is its angle to the first class, any shape, 0..pi: the least angle whose cosine does not exceed the target
    at `theta` (Deng et al.: "ArcFace", 2019, figure 5; both class weights and the feature taken as unit vectors). NaN
    where no angle is enough. Raises TrainingInvalid for Triplet, which has no classes.
    """
    target = target_logit(spec, theta, norm=1) / spec.scale_or_default()
    return np.where(target < -1, np.nan, np.arccos(np.clip(target, -1, 1)))


def edge(spec: LossSpec, between: float) -> float:
    """Return the largest angle (radians) from its class at which a face still counts as that class's, in the plane.

    The other class lies `between` (0..pi) further: on the arc from one to the other a plain loss gives each its half,
    a margin leaves a gap between the two. Raises TrainingInvalid for Triplet.
    """
    theta = np.linspace(0, between, _STEPS)
    least = boundary(spec, theta)
    is_inside = least <= between - theta
    return float(theta[is_inside][-1]) if is_inside.any() else 0.0


def thetas(cosines: Doubles, labels: NDArray[np.int64]) -> Thetas:
    """Count the angles behind the cosines (n, classes) of faces with class centres, `labels` (n,) naming their own."""
    angles = np.arccos(np.clip(cosines, -1, 1))
    is_own = np.arange(cosines.shape[1]) == labels[:, None]
    return Thetas(_shares(angles[is_own]), _shares(angles[~is_own]))


def _shares(angles: Doubles) -> Doubles:
    counts, _ = np.histogram(angles, BINS, (0, math.pi))
    return counts / max(len(angles), 1)
