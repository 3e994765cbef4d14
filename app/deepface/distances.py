"""Distances as DeepFace measures them, computed from our similarities. Pure.

All of them fall as the similarity rises, so that a distance is on the same side of the threshold with each metric.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

_DIGITS = 6


class DistanceMetric(StrEnum):
    """DeepFace's metrics. Our vectors have length 1, so both Euclidean metrics are the same."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    EUCLIDEAN_L2 = "euclidean_l2"
    ANGULAR = "angular"


def _cosine(similarity: float) -> float:
    return 1 - similarity


def _euclidean(similarity: float) -> float:
    return math.sqrt(2 * (1 - similarity))


def _angular(similarity: float) -> float:
    return math.acos(similarity) / math.pi


_OF_SIMILARITY: Mapping[DistanceMetric, Callable[[float], float]] = MappingProxyType(
    {
        DistanceMetric.COSINE: _cosine,
        DistanceMetric.EUCLIDEAN: _euclidean,
        DistanceMetric.EUCLIDEAN_L2: _euclidean,
        DistanceMetric.ANGULAR: _angular,
    }
)


def distance_of(similarity: float | None, metric: DistanceMetric) -> float:
    """Return the distance (six digits) of a similarity (-1..1); the largest one if the caller may not see it."""
    shown = -1.0 if similarity is None else min(max(similarity, -1.0), 1.0)
    return round(_OF_SIMILARITY[metric](shown), _DIGITS)
