"""The codes of one block, in the order that FAISS FastScan wants: 32 rows interleaved."""

from typing import Any

import faiss
import numpy as np

from app.gallery.index.storage.block import Bytes
from app.gallery.index.storage.codec import Codec
from app.types import Floats, Keys


class BlockCodes:
    """See `Codes`. FAISS appends; replacing, moving and cutting rows write into its memory, as FAISS cannot."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._scanner: Any = codec.new_scanner()
        self._packer: Any = self._scanner.get_CodePacker()
        self._nothing: Bytes = np.zeros(self._packer.code_size, np.uint8)

    def __len__(self) -> int:
        return int(self._scanner.ntotal)

    def append(self, vectors: Floats) -> None:
        """See `Codes`."""
        faiss.omp_set_num_threads(1)  # per thread
        if len(vectors):  # FAISS writes far out of its memory when it adds nothing to nothing
            self._scanner.add(self._codec.rotate(vectors))

    def replace(self, row: int, vector: Floats) -> None:
        """See `Codes`."""
        self._put(row, self._codec.encode(vector[None])[0])

    def move(self, source: int, target: int) -> None:
        """See `Codes`."""
        self._put(target, self._get(source))

    def cut(self, count: int) -> None:
        """See `Codes`. FAISS sets bits when it appends: what lies behind the end must be zero."""
        memory, group = self._memory(), int(self._packer.nvec)
        whole = -(-count // group)
        memory[whole:] = 0
        for row in range(count, min(len(self), whole * group)):
            self._put(row, self._nothing)
        self._end_at(count)

    def search(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        """See `Codes`, for turned probes (n, D)."""
        faiss.omp_set_num_threads(1)  # per thread
        scores, rows = self._scanner.search(probes, k)
        return np.asarray(scores, np.float32), np.asarray(rows, np.int64)

    def codes(self) -> Bytes:
        """Return the codes (n, groups / 2), row by row."""
        rows = [self._get(row) for row in range(len(self))]
        return np.array(rows, np.uint8).reshape(len(self), self._packer.code_size)

    def _get(self, row: int) -> Bytes:
        group, place = divmod(row, int(self._packer.nvec))
        code: Bytes = self._packer.unpack_1(self._memory()[group, None], place)
        return code

    def _put(self, row: int, code: Bytes) -> None:
        group, place = divmod(row, int(self._packer.nvec))
        self._packer.pack_1(code, place, self._memory()[group, None])

    def _memory(self) -> Bytes:
        """Return FAISS's own memory as (groups of rows, bytes); valid until rows are appended."""
        codes = self._scanner.codes
        size = int(codes.size())
        flat: Bytes = faiss.rev_swig_ptr(codes.get(), size) if size else np.empty(0, np.uint8)
        return flat.reshape(-1, int(self._packer.block_size))

    def _end_at(self, count: int) -> None:
        group = int(self._packer.nvec)
        self._scanner.ntotal, self._scanner.ntotal2 = count, -(-count // group) * group
