"""Exact search on an NVIDIA GPU by FAISS. Rows also stay in the process's memory, from which similarities are computed.

It must be selected explicitly, and has no fallback.
"""

import threading
from typing import Any

import faiss
import numpy as np

from app.errors import ProviderUnavailable
from app.gallery.index.rescoring import search_twice
from app.gallery.index.storage.block import BLOCK_ROWS, Codes, VectorBlock
from app.gallery.index.storage.stored import StoredIndex
from app.types import Floats, IndexKind, Keys

# The most results of FAISS on a GPU; for more, the rows in the process's memory are compared.
_MOST_FOUND = 2048


class GpuDevice:
    """The first GPU; one command at a time, because threads must not share FAISS's resources."""

    def __init__(self) -> None:
        """Raises ProviderUnavailable if FAISS or the machine has no GPU."""
        if not hasattr(faiss, "StandardGpuResources"):
            raise ProviderUnavailable("the installed FAISS has no GPU support: install arcid with the extra 'gpu'")
        if faiss.get_num_gpus() < 1:
            raise ProviderUnavailable("FAISS finds no GPU on this machine; see nvidia-smi and the container's settings")
        self.lock = threading.Lock()
        self._resources: Any = faiss.StandardGpuResources()

    def new_flat(self, dimension: int) -> Any:
        """Return an empty FAISS index of inner products, float32 in the GPU's memory."""
        return faiss.GpuIndexFlatIP(self._resources, dimension)


class DeviceRows:
    """See `Codes`: a block's vectors in the GPU's memory.

    FAISS can only append on the GPU. For other changes the rows are fetched and removed from the GPU, and return with
    the next search.
    """

    def __init__(self, device: GpuDevice, dimension: int) -> None:
        self._device = device
        self._flat: Any = device.new_flat(dimension)
        self._here: Floats | None = None

    def append(self, vectors: Floats) -> None:
        """See `Codes`."""
        with self._device.lock:
            if self._here is None:
                self._flat.add(np.ascontiguousarray(vectors))
            else:
                self._here = np.concatenate([self._here, vectors])

    def replace(self, row: int, vector: Floats) -> None:
        """See `Codes`."""
        self._fetched()[row] = vector

    def move(self, source: int, target: int) -> None:
        """See `Codes`."""
        rows = self._fetched()
        rows[target] = rows[source]

    def cut(self, count: int) -> None:
        """See `Codes`."""
        self._here = self._fetched()[:count]

    def search(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        """See `Codes`."""
        with self._device.lock:
            if self._here is not None:
                self._flat.add(np.ascontiguousarray(self._here))
                self._here = None
            scores, rows = self._flat.search(np.ascontiguousarray(probes), k)
        return np.asarray(scores, np.float32), np.asarray(rows, np.int64)

    def _fetched(self) -> Floats:
        with self._device.lock:
            if self._here is None:
                self._here = np.array(self._flat.reconstruct_n(0, int(self._flat.ntotal)), np.float32)
                self._flat.reset()
            return self._here


class GpuIndex(StoredIndex):
    """See `LocalIndex`."""

    def __init__(self, dimension: int, device: GpuDevice | None = None, *, block_rows: int = BLOCK_ROWS) -> None:
        """Raises ProviderUnavailable if FAISS or the machine has no GPU."""
        self._device = device or GpuDevice()
        super().__init__(dimension, block_rows=block_rows)

    @property
    def kind(self) -> str:
        """See `VectorIndex`."""
        return IndexKind.GPU

    def _new_codes(self) -> Codes | None:
        return DeviceRows(self._device, self._dimension)

    def _search_all(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        if k > _MOST_FOUND:
            return self._scan(probes, k)

        def share(block: VectorBlock) -> int:
            return min(k, block.count)

        blocks = list(self._rows.blocks.values())
        found = search_twice(blocks, probes, k, share=share)
        return found if found is not None else self._scan(probes, k)
