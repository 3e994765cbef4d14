"""The teacher's embeddings of crops, cached on disk. Does not need PyTorch."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.evaluation.values import Advance
from app.training.data.source import CropSource
from app.training.run_folder import write_whole
from app.types import Floats, Pixels

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Teacher:
    """An embedding network and the cache of its embeddings.

    `embed_crops` maps crops (n, 112, 112, 3) to flip-averaged unit embeddings (n, `dimension`). `folder` belongs to
    this network and its preprocessing. It has one file for each crop, named after the SHA-256 of the crop's pixels, so
    that an interrupted run and further students continue with the embeddings computed so far.
    """

    embed_crops: Callable[[Pixels], Floats]
    dimension: int
    folder: Path

    def embed(self, source: CropSource, advance: Advance = lambda _: None) -> Floats:
        """Return the flip-averaged unit embeddings (n, d) of all crops; raises StorageNotWritable if a disk is full."""
        embeddings = np.empty((len(source.labels), self.dimension), np.float32)
        for start in range(0, len(source.labels), _BATCH):
            places = range(start, min(start + _BATCH, len(source.labels)))
            embeddings[places.start : places.stop] = self._embed_batch([source.crop(place) for place in places])
            advance(len(places))
        return embeddings

    def _embed_batch(self, crops: Sequence[Pixels]) -> Floats:
        """Return the embeddings (n, d) of crops; compute and write those that the cache lacks."""
        paths = [self._path(crop) for crop in crops]
        vectors = [self._read(path) for path in paths]
        missing = [place for place, vector in enumerate(vectors) if vector is None]
        if missing:
            computed = self.embed_crops(np.stack([crops[place] for place in missing]))
            for place, vector in zip(missing, computed, strict=True):
                write_whole(vector.astype("<f4").tobytes(), paths[place])
                vectors[place] = vector
        return np.stack([vector for vector in vectors if vector is not None])

    def _path(self, crop: Pixels) -> Path:
        key = hashlib.sha256(crop.tobytes()).hexdigest()
        return self.folder / key[:2] / f"{key}.f32"

    def _read(self, path: Path) -> Floats | None:
        """Return a cached embedding; None if it is missing or truncated."""
        try:
            vector = np.frombuffer(path.read_bytes(), "<f4")
        except (FileNotFoundError, ValueError):
            return None
        return vector.astype(np.float32) if len(vector) == self.dimension else None
