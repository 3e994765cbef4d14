"""Decision boundaries of margin losses and angle histograms, in radians. NumPy, float64."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.training.losses.spec import LossSpec
from figures.curves import target_logit

Doubles = NDArray[np.float64]

BINS = 90
_STEPS = 4001


@dataclass(frozen=True, slots=True)
class Thetas:
    """Histograms of angles over `BINS` equal bins from 0 to pi: to the own class, and to all other classes."""

    genuine: Doubles
    impostor: Doubles


def boundary(spec: LossSpec, theta: Doubles) -> Doubles:
    """Return the smallest angle (radians) to class 2 at which a face still counts as class 1.

    This is the angle whose cosine equals the target logit at `theta`; NaN where no angle is large enough. Class weights
    and feature are unit vectors (Deng et al.: "ArcFace", 2019, figure 5).

    Args:
        spec: The loss.
        theta: Angles to class 1, any shape, 0..pi.

    Raises:
        TrainingInvalid: If the loss is Triplet, which has no classes.
    """
    target = target_logit(spec, theta, norm=1) / spec.scale_or_default()
    return np.where(target < -1, np.nan, np.arccos(np.clip(target, -1, 1)))


def edge(spec: LossSpec, between: float) -> float:
    """Return the largest angle (radians) to its class at which a face still counts as that class, in the plane.

    `between` is the angle of the two classes (0..pi). A plain loss splits it in half; a margin leaves a gap.
    Raises TrainingInvalid for Triplet.
    """
    theta = np.linspace(0, between, _STEPS)
    least = boundary(spec, theta)
    is_inside = least <= between - theta
    return float(theta[is_inside][-1]) if is_inside.any() else 0.0


def thetas(cosines: Doubles, labels: NDArray[np.int64]) -> Thetas:
    """Return the angle histograms of cosines (n, classes) to class centres; `labels` (n,) are the own classes."""
    angles = np.arccos(np.clip(cosines, -1, 1))
    is_own = np.arange(cosines.shape[1]) == labels[:, None]
    return Thetas(_shares(angles[is_own]), _shares(angles[~is_own]))


def _shares(angles: Doubles) -> Doubles:
    counts, _ = np.histogram(angles, BINS, (0, math.pi))
    return counts / max(len(angles), 1)
