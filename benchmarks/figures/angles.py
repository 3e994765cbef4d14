"""Decision boundaries of margin losses and angle histograms, in radians. NumPy, float64."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from figures.curves import Curve, Doubles

BINS = 90
_STEPS = 4001


@dataclass(frozen=True, slots=True)
class Thetas:
    """Histograms of angles over `BINS` equal bins from 0 to pi: to the own class, and to all other classes."""

    genuine: Doubles
    impostor: Doubles


def boundary(curve: Curve, theta: Doubles) -> Doubles:
    """Return the smallest angle (radians) to class 2 at which a face still counts as class 1.

    This is the angle whose cosine equals the target logit at `theta`; NaN where no angle is large enough. Class weights
    and feature are unit vectors (Deng et al.: "ArcFace", 2019, figure 5).

    Args:
        curve: The loss.
        theta: Angles to class 1, any shape, 0..pi.
    """
    target = curve.target(theta)
    return np.where(target < -1, np.nan, np.arccos(np.clip(target, -1, 1)))


def edge(curve: Curve, between: float) -> float:
    """Return the largest angle (radians) to its class at which a face still counts as that class, in the plane.

    `between` is the angle of the two classes (0..pi). A plain loss splits it in half; a margin leaves a gap.
    """
    theta = np.linspace(0, between, _STEPS)
    least = boundary(curve, theta)
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
