"""Short codes of vectors: product quantisation, 16 centroids for each group of components, scanned by FAISS FastScan.

Before that, the vectors are rotated so that all groups have about the same variance (the eigenvectors of the second
moments, dealt out to the groups; Ge et al., "Optimized Product Quantization", 2013, its parametric form).
"""

from typing import Any

import faiss
import numpy as np

from app.gallery.index.storage.block import Bytes
from app.types import Floats

_BITS = 4  # the table size of FastScan's byte shuffles
_CENTROIDS = 1 << _BITS

LEAST_TRAINING_ROWS = _CENTROIDS

# Centroids and directions settle with fewer vectors; 32,768 take a second at 512-d.
TRAINING_ROWS = 32_768

# Components below this variance (as a share of the largest) are treated as noise.
_LEAST_SHARE = 1e-6


def groups_of(dimension: int) -> int:
    """Return the number of groups of a vector; a code has half as many bytes.

    Measured at a million templates (docs/adr/0008-compressed-index.md): 512-d needs fewer bits a component than 128-d.
    """
    groups = 64 if dimension <= 256 else 80
    return min(groups, dimension + dimension % 2)  # FastScan wants an even number


class Codec:
    """Directions (d, groups x width) and centroids (groups, 16, width), float32."""

    def __init__(self, directions: Floats, centroids: Floats) -> None:
        self.directions = np.ascontiguousarray(directions, np.float32)
        self.centroids = np.ascontiguousarray(centroids, np.float32)
        self.groups, _, self.width = centroids.shape
        # NumPy's matrix product would wake its own threads, which wait for each other if several threads encode.
        rotation: Any = faiss.LinearTransform
        self._rotation = rotation(*self.directions.shape)
        faiss.copy_array_to_vector(np.ascontiguousarray(self.directions.T).ravel(), self._rotation.A)
        self._rotation.is_trained = True
        self._quantiser: Any = faiss.ProductQuantizer(self.groups * self.width, self.groups, _BITS)
        faiss.copy_array_to_vector(self.centroids.ravel(), self._quantiser.centroids)

    @classmethod
    def train(cls, vectors: Floats, groups: int) -> "Codec":
        """Train on representative vectors (n, d), n >= LEAST_TRAINING_ROWS; the same vectors give the same codec."""
        faiss.omp_set_num_threads(1)  # per thread; requests are served at the same time
        directions = _directions(vectors, groups)
        quantiser: Any = faiss.ProductQuantizer(directions.shape[1], groups, _BITS)
        quantiser.cp.min_points_per_centroid = 1  # no warning on standard error
        quantiser.train(np.ascontiguousarray(vectors @ directions))
        centroids = faiss.vector_to_array(quantiser.centroids)
        return cls(directions, centroids.reshape(groups, _CENTROIDS, directions.shape[1] // groups))

    @property
    def parts(self) -> list[Floats]:
        """The arrays that a snapshot stores; see `from_bytes`."""
        return [self.directions, self.centroids]

    @staticmethod
    def size(dimension: int, groups: int) -> int:
        """Return the size of the parts in bytes."""
        return 4 * (dimension + _CENTROIDS) * groups * -(-dimension // groups)

    @classmethod
    def from_bytes(cls, data: bytes, dimension: int, groups: int) -> "Codec":
        """Return the codec of saved parts; raises ValueError if they are not of this shape, or not finite."""
        if len(data) != cls.size(dimension, groups):
            raise ValueError("another number of bytes")
        width = -(-dimension // groups)
        values = np.frombuffer(data, np.float32)
        directions = dimension * groups * width
        if not np.isfinite(values).all():
            raise ValueError("not all numbers are finite")
        return cls(
            values[:directions].reshape(dimension, groups * width),
            values[directions:].reshape(groups, _CENTROIDS, width),
        )

    def rotate(self, vectors: Floats) -> Floats:
        """Return vectors (n, d) as `BlockCodes.search` takes them: (n, groups x width), inner products unchanged."""
        rotated: Floats = self._rotation.apply(vectors)
        return rotated

    def encode(self, vectors: Floats) -> Bytes:
        """Return the codes (n, groups / 2) of vectors (n, d)."""
        codes: Bytes = self._quantiser.compute_codes(self.rotate(vectors))
        return codes

    def new_scanner(self) -> Any:
        """Return an empty FAISS index for turned vectors."""
        scanner: Any = faiss.IndexPQFastScan(self.groups * self.width, self.groups, _BITS, faiss.METRIC_INNER_PRODUCT)
        scanner.pq, scanner.is_trained = self._quantiser, True
        return scanner


def _directions(vectors: Floats, groups: int) -> Floats:
    """Return orthonormal columns (d, groups x width), padded with zeros, whose variances multiply alike by group."""
    dimension = vectors.shape[1]
    width = -(-dimension // groups)
    variances, eigenvectors = np.linalg.eigh(vectors.T @ vectors / np.float32(len(vectors)))
    weights = np.log(np.maximum(variances / variances.max(), _LEAST_SHARE) / _LEAST_SHARE)
    loads, members = np.zeros(groups), [list[int]() for _ in range(groups)]
    for component in np.argsort(-weights).tolist():
        group = min((each for each in range(groups) if len(members[each]) < width), key=loads.__getitem__)
        members[group].append(component)
        loads[group] += weights[component]
    directions = np.zeros((dimension, groups, width), np.float32)
    for group, components in enumerate(members):
        directions[:, group, : len(components)] = eigenvectors[:, components]
    return directions.reshape(dimension, groups * width)
