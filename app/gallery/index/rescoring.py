"""Two-stage search of blocks: select candidates by codes, then rank them by their vectors."""

from collections.abc import Callable, Sequence

import numpy as np

from app.gallery.index.storage.block import VectorBlock, widened
from app.gallery.index.storage.nearest import Nearest
from app.types import Floats, Keys

# Probes rescored together: 16 x 1,200 candidates x 512 x 4 bytes = 40 MB.
_PROBES_AT_ONCE = 16


def search_twice(
    blocks: Sequence[VectorBlock], probes: Floats, k: int, *, share: Callable[[VectorBlock], int]
) -> tuple[Floats, Keys] | None:
    """Return the nearest k rows of the blocks, by exact similarity among the candidates.

    `share` returns a block's number of candidates: at most its rows, and at least k in all. Return None if a block's
    codes find fewer.
    """
    answers = []
    for first in range(0, len(probes), _PROBES_AT_ONCE):
        part = probes[first : first + _PROBES_AT_ONCE]
        found = _rescored(blocks, part, share)
        if found is None:
            return None
        nearest = Nearest(len(part), k)
        nearest.offer(*found)
        answers.append(nearest.best())
    return np.concatenate([each for each, _ in answers]), np.concatenate([each for _, each in answers])


def _rescored(
    blocks: Sequence[VectorBlock], probes: Floats, share: Callable[[VectorBlock], int]
) -> tuple[Floats, Keys] | None:
    """Return similarities and keys (n, m) of all candidates of some blocks."""
    counts = [share(block) for block in blocks]
    shape = (len(probes), sum(counts))
    vectors = np.empty((*shape, probes.shape[1]), blocks[0].vectors.dtype)
    keys = np.empty(shape, np.int64)
    end = 0
    for block, count in zip(blocks, counts, strict=True):
        _, rows = block.nearest(probes, count)
        if rows.min() < 0:
            return None
        vectors[:, end : end + count] = block.vectors[rows]
        keys[:, end : end + count] = block.keys[rows]
        end += count
    wide = widened(vectors.reshape(-1, probes.shape[1])).reshape(vectors.shape)
    return np.matmul(wide, probes[:, :, None])[:, :, 0], keys
