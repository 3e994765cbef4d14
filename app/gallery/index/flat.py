"""Exact index: FAISS compares every vector (inner product of unit vectors = cosine similarity)."""

import faiss
import numpy as np

from app.gallery.index.storage.block import BLOCK_ROWS
from app.gallery.index.storage.nearest import Nearest
from app.gallery.index.storage.stored import StoredIndex
from app.types import Floats, IndexKind, Keys

# From this many query components on, FAISS multiplies matrices (BLAS) instead of scanning once per query. Its default
# of 128,000 makes a crowd's search ten times slower than need be; below about 20 queries of 512-d scanning wins.
_BLAS_FROM = 10_000


class FlatIndex(StoredIndex):
    """See `LocalIndex`. Rows are float32 in memory: a conversion for each search would cost as much as reading them."""

    def __init__(self, dimension: int, *, block_rows: int = BLOCK_ROWS) -> None:
        faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM
        super().__init__(dimension, dtype=np.float32, block_rows=block_rows)

    @property
    def kind(self) -> str:
        """See `VectorIndex`."""
        return IndexKind.EXACT

    def _search_all(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        faiss.omp_set_num_threads(1)  # per thread; a request's search that spreads over cores slows all others down
        nearest = Nearest(len(probes), k)
        for block in self._rows.blocks.values():
            vectors = block.vectors[: block.count]
            similarities, rows = faiss.knn(probes, vectors, min(k, block.count), faiss.METRIC_INNER_PRODUCT)
            nearest.offer(similarities, block.keys[rows])
        return nearest.best()
