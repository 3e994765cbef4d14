"""Vectors for the tests of the index, and a simulated GPU."""

import threading
from typing import Any

import faiss
import numpy as np

from app.gallery.index.gpu import GpuDevice
from app.types import Floats, Keys

D = 8


def units(count: int, *, seed: int = 0, dimension: int = D) -> Floats:
    """Unit vectors of float16 numbers: an index stores them without rounding."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors.astype(np.float16), np.float32)


def faces(people: int, *, images: int = 5, seed: int = 0, dimension: int = 64) -> Floats:
    """Vectors that come in groups, mated at cosine 0.7 or so; row // images is the person."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(people, dimension)), images, axis=0)
    vectors = centres * 0.7**0.5 + rng.normal(size=centres.shape) * 0.3**0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors.astype(np.float16), np.float32)


def keys_of(*keys: int) -> Keys:
    return np.array(keys, np.int64)


def has_gpu() -> bool:
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


class HostDevice(GpuDevice):
    """Answers as a GPU does, from this machine's memory."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def new_flat(self, dimension: int) -> Any:
        return faiss.IndexFlatIP(dimension)
