"""Embeddings that callers send as probes."""

import numpy as np
from numpy.typing import NDArray

from app.errors import RequestInvalid
from app.types import Floats


def unit(embedding: NDArray[np.float64], dimension: int) -> Floats:
    """Return an embedding (d,) with length 1. Raises RequestInvalid for another dimension or a zero vector."""
    problem = None
    if embedding.shape != (dimension,):
        problem = f"has {embedding.size} numbers; the collection's have {dimension}"
    elif not np.isfinite(embedding).all():
        problem = "has numbers that are not finite"
    elif not embedding.any():
        problem = "is zero and has no direction"
    if problem is not None:
        detail = f"the embedding {problem}"
        raise RequestInvalid.at("embedding", detail)
    scaled = embedding / np.abs(embedding).max()  # so that squares neither vanish nor overflow
    return np.asarray(scaled / np.linalg.norm(scaled), np.float32)
