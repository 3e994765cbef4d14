"""Two-stage search of blocks: select candidates by codes, then rank them by their vectors."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from app.gallery.index.storage.block import VectorBlock, widened
from app.gallery.index.storage.nearest import Nearest
from app.types import Floats, Keys

# With fewer blocks, a second thread costs more than it saves.
_SPREAD_FROM = 4

# Probes rescored together: 16 x 1,200 candidates x 512 x 4 bytes = 40 MB.
_PROBES_AT_ONCE = 16


def search_twice(
    blocks: Sequence[VectorBlock],
    probes: Floats,
    prepared: Floats,
    k: int,
    *,
    share: Callable[[VectorBlock], int],
    pool: Executor | None = None,
    threads: int = 1,
) -> tuple[Floats, Keys] | None:
    """Return the nearest k rows of the blocks, by exact similarity among the candidates.

    The work is divided between the caller's thread and `threads` - 1 of the pool. `prepared` are the probes (n, D) in
    the form of the codes. `share` returns a block's number of candidates: at most its rows, and at least k in all.
    Return None if a block's codes find fewer.
    """
    is_spread = pool is not None and len(blocks) >= _SPREAD_FROM
    shares = [blocks[first::threads] for first in range(min(threads, len(blocks)))] if is_spread else [blocks]
    answers = []
    for first in range(0, len(probes), _PROBES_AT_ONCE):
        part = slice(first, first + _PROBES_AT_ONCE)
        work = [pool.submit(_rescored, each, probes[part], prepared[part], share) for each in shares[1:] if pool]
        found = [_rescored(shares[0], probes[part], prepared[part], share), *(each.result() for each in work)]
        nearest = Nearest(len(probes[part]), k)
        for each in found:
            if each is None:
                return None
            nearest.offer(*each)
        answers.append(nearest.best())
    return np.concatenate([each for each, _ in answers]), np.concatenate([each for _, each in answers])


def _rescored(
    blocks: Sequence[VectorBlock], probes: Floats, prepared: Floats, share: Callable[[VectorBlock], int]
) -> tuple[Floats, Keys] | None:
    """Return similarities and keys (n, m) of all candidates of some blocks."""
    counts = [share(block) for block in blocks]
    shape = (len(probes), sum(counts))
    vectors = np.empty((*shape, probes.shape[1]), blocks[0].vectors.dtype)
    keys = np.empty(shape, np.int64)
    end = 0
    for block, count in zip(blocks, counts, strict=True):
        _, rows = block.nearest(prepared, count)
        if rows.min() < 0:
            return None
        vectors[:, end : end + count] = block.vectors[rows]
        keys[:, end : end + count] = block.keys[rows]
        end += count
    wide = widened(vectors.reshape(-1, probes.shape[1])).reshape(vectors.shape)
    return np.matmul(wide, probes[:, :, None])[:, :, 0], keys
