"""The papers' formulas in plain NumPy, float64, and features at given angles; independent of app/training."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Target = Callable[[Doubles], Doubles]


def normalise(vectors: Doubles) -> Doubles:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def cross_entropy(logits: Doubles, labels: NDArray[np.int64]) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(labels)), labels].mean())


def margin_logits(
    features: Doubles,
    weights: Doubles,
    labels: NDArray[np.int64],
    *,
    target: Target,
    scale: float | None,
) -> Doubles:
    """Return logits for features (n, d) and weights (classes, sub-centres, d); without `scale`, the norm is kept."""
    cosines = np.einsum("nd,ckd->nck", normalise(features), normalise(weights)).max(axis=2)
    own = np.arange(len(labels)), labels
    cosines[own] = target(np.arccos(np.clip(cosines[own], -1, 1)))
    return cosines * (np.linalg.norm(features, axis=1, keepdims=True) if scale is None else scale)


def cosface(margin: float) -> Target:
    return lambda theta: np.cos(theta) - margin


def arcface(margin: float) -> Target:
    return lambda theta: np.where(
        theta <= math.pi - margin, np.cos(theta + margin), np.cos(theta) - margin * math.sin(math.pi - margin)
    )


def combined(m1: float, m2: float, m3: float) -> Target:
    """Return the combined margin for m1 theta + m2 <= pi, where the paper defines it."""
    return lambda theta: np.cos(m1 * theta + m2) - m3


def sphereface(margin: int, mixed_in: float) -> Target:
    def psi(theta: float) -> float:
        for k in range(margin):
            if k * math.pi / margin <= theta <= (k + 1) * math.pi / margin:
                return (-1) ** k * math.cos(margin * theta) - 2 * k
        raise AssertionError(theta)

    return lambda theta: (mixed_in * np.cos(theta) + np.array([psi(t) for t in theta])) / (1 + mixed_in)


def gradient(value: Callable[[Doubles], float], at: Doubles, step: float = 1e-7) -> Doubles:
    """Return the gradient by central differences."""
    slopes = np.empty_like(at)
    for place in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[place] += step
        down[place] -= step
        slopes[place] = (value(up) - value(down)) / (up[place] - down[place])
    return slopes


def at_angles(weights: Doubles, labels: NDArray[np.int64], theta: Doubles, *, norm: float, seed: int = 7) -> Doubles:
    """Return features (n, d) with a given norm, each at an angle to the first sub-centre of its class."""
    own = normalise(weights[labels, 0])
    aside = np.random.default_rng(seed).normal(size=own.shape)
    aside = normalise(aside - (aside * own).sum(axis=1, keepdims=True) * own)
    return norm * (np.cos(theta)[:, None] * own + np.sin(theta)[:, None] * aside)
