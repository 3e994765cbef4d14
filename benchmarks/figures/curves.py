"""Target logits over the angle (ArcFace, 2019, figure 4). NumPy, float64."""

import math

import numpy as np
from numpy.typing import NDArray

from app.errors import TrainingInvalid
from app.training.losses.spec import LossSpec

Doubles = NDArray[np.float64]

_FIGURE = 64.0  # the norm of the features in the paper's figure


def target_logit(spec: LossSpec, theta: Doubles, *, norm: float = _FIGURE) -> Doubles:
    """Return the target logit at angles `theta`, any shape, radians in 0..pi.

    `norm` is the norm of the features for losses without a scale: Softmax (no bias, class weight of norm 1) and
    SphereFace. SphereFace's lambda is its final one. Raises TrainingInvalid for Triplet, which has no logits.
    """
    theta = np.asarray(theta, np.float64)
    keeps_norm = spec.name == "softmax" or (spec.name == "sphereface" and not spec.is_feature_normalised)
    return (norm if keeps_norm else spec.scale_or_default()) * _target(spec, theta)


def _target(spec: LossSpec, theta: Doubles) -> Doubles:
    margin = spec.margin_or_default()
    if spec.name in {"softmax", "normface"}:
        return np.cos(theta)
    if spec.name == "cosface":
        return np.cos(theta) - margin
    if spec.name == "arcface":
        return _combined(theta, 1, margin, 0)
    if spec.name == "combined":
        return _combined(theta, *spec.combined_or_default())
    if spec.name == "sphereface":
        return (spec.lambda_min * np.cos(theta) + _psi(theta, margin)) / (1 + spec.lambda_min)
    raise TrainingInvalid(f"the loss {spec.name} has no target logit")


def _combined(theta: Doubles, m1: float, m2: float, m3: float) -> Doubles:
    last = (math.pi - m2) / m1
    shift = math.pi - last
    beyond = np.cos(theta) - shift * math.sin(shift)
    return np.where(theta <= last, np.cos(m1 * theta + m2), beyond) - m3


def _psi(theta: Doubles, margin: float) -> Doubles:
    k = np.minimum(np.floor(margin * theta / math.pi), margin - 1)
    psi: Doubles = (-1) ** k * np.cos(margin * theta) - 2 * k
    return psi
