"""Clusters of faces: their templates, kept as sums so that merging is an addition. Pure."""

from dataclasses import dataclass

import numpy as np

from app.recognition.clustering.face_groups import Numbers
from app.recognition.decisions.calibration.error_rates import RateCurve
from app.recognition.decisions.calibration.templates import mean_length
from app.recognition.decisions.matching import LEAST_WEIGHT
from app.types import Floats

_LEAST_LENGTH = 1e-4  # of a mean of unit vectors; the direction of a shorter one is only rounding


class Clusters:
    """Clusters (m,) of faces. `sizes` (m,) is the number of their faces, 0 for clusters that were merged away."""

    def __init__(self, vectors: Floats, qualities: Floats, cluster: Numbers) -> None:
        """Take vectors (n, d), qualities (n,) and the number of each face's cluster (n,), 0..m-1."""
        count = int(cluster.max(initial=-1)) + 1
        weights = (qualities + np.float32(LEAST_WEIGHT)).astype(np.float32)
        self._sums = np.zeros((count, vectors.shape[1]), np.float32)
        np.add.at(self._sums, cluster, weights[:, None] * vectors)
        lengths = np.linalg.norm(vectors, axis=1)
        self._lengths = np.bincount(cluster, weights * lengths, minlength=count)
        self._weights = np.bincount(cluster, weights, minlength=count)
        self.sizes: Numbers = np.bincount(cluster, minlength=count).astype(np.int64)

    def templates(self, clusters: Numbers) -> Floats:
        """Return the templates (k, d) of some clusters; see `app.recognition.decisions.matching.template_of`."""
        sums = self._sums[clusters]
        found = np.maximum(np.linalg.norm(sums, axis=1), _LEAST_LENGTH * self._weights[clusters])
        lengths = self._lengths[clusters] / self._weights[clusters]
        return np.asarray(sums * (lengths / found)[:, None], np.float32)

    def merge(self, kept: Numbers, gone: Numbers) -> None:
        """Add each cluster of `gone` (k,) to the one of `kept` (k,); no number occurs twice."""
        for values in (self._sums, self._lengths, self._weights, self.sizes):
            values[kept] += values[gone]
            values[gone] = 0


@dataclass(frozen=True, slots=True)
class ComparableTemplates:
    """Templates of clusters, prepared for comparisons.

    Args:
        vectors: The templates (k, d).
        shifts: How much longer each is than the mean of its faces (k,); see `TemplateScale`.
        stretches: How much further its similarities to strangers spread than those of a single face (k,).
    """

    vectors: Floats
    shifts: Floats
    stretches: Floats

    @classmethod
    def of(cls, vectors: Floats, sizes: Numbers, stretch: float) -> "ComparableTemplates":
        """Return templates (k, d) of `sizes` (k,) faces, by the `template_stretch` of the calibration."""
        distinct, place = np.unique(sizes, return_inverse=True)
        shifts = np.array([1 / mean_length(size) for size in distinct.tolist()], np.float32)[place]
        return cls(vectors, shifts, np.asarray(stretch * (1 - 1 / sizes), np.float32))


def single_similarities(one: ComparableTemplates, other: ComparableTemplates, curve: RateCurve | None) -> Floats:
    """Return template similarities (k, o), converted to single-face ones that equally many strangers reach.

    The same as `TemplateScale.to_single`, for all pairs at once. Without a calibration, the similarities are those of
    the templates.
    """
    if curve is None:
        return np.asarray(one.vectors @ other.vectors.T)
    centre, common = np.float32(curve.centre), np.float32(max(curve.centre, 0))
    left = np.column_stack([one.vectors, one.shifts])
    right = np.column_stack([other.vectors, -common * other.shifts])
    found = np.asarray(left @ right.T)  # similarities, less the common part
    if centre != common:
        found -= centre - common
    if one.stretches.any() or other.stretches.any():
        found /= np.add.outer(one.stretches + np.float32(1), other.stretches)
    found += centre
    return found
