"""Embedding networks of the ArcFace family: unit vectors and raw feature norms of aligned crops."""

from dataclasses import dataclass

import numpy as np

from app.observability.stages import stage
from app.types import Floats, Pixels
from app.vision.inference.batcher import Batcher, Batching
from app.vision.inference.session import Session

_LARGEST_BATCH = 32  # bounds the memory of a photo with many faces


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit `vectors` (n, d), and `norms` (n,): the length of each feature before normalisation.

    The norm indicates image quality: it falls with blur, darkness and occlusion (Ranjan et al., 2017).
    """

    vectors: Floats
    norms: Floats


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Preprocessing of a network's input: (pixel - mean) / scale, in RGB or BGR order."""

    mean: float = 127.5
    scale: float = 128.0
    is_bgr: bool = False


class Embedder:
    """An embedding network. With `batching`, concurrent calls share its runs until it is closed."""

    def __init__(self, session: Session, preprocessing: Preprocessing, batching: Batching | None = None) -> None:
        self._session = session
        self._preprocessing = preprocessing
        self.batcher = None if batching is None else Batcher(lambda rows: self._session.run(rows)[0], batching)

    def close(self) -> None:
        """Finish the rows that wait for a shared run, and refuse new ones."""
        if self.batcher is not None:
            self.batcher.close()

    def embed(self, crops: Pixels, *, is_flip_averaged: bool = False) -> Embeddings:
        """Return the embeddings of crops (n, 112, 112, 3), RGB uint8; n may be 0.

        With `is_flip_averaged`, a feature is the mean of those of the crop and of its mirror image, which takes twice
        the work (Wang et al., "Additive Margin Softmax", 2018). With batching, raises as `Batcher.run` does.
        """
        features, *mirrored = self._features([crops, crops[:, :, ::-1]] if is_flip_averaged else [crops])
        if mirrored:
            features = (features + mirrored[0]) * np.float32(0.5)
        norms: Floats = np.sqrt((features * features).sum(axis=1))
        vectors = (features / np.maximum(norms, np.finfo(np.float32).tiny)[:, None]).astype(np.float32, copy=False)
        return Embeddings(vectors, norms)

    def _features(self, views: list[Pixels]) -> list[Floats]:
        """Return the features of each view of the crops."""
        if self.batcher is None or not len(views[0]):
            return [self._run_alone(as_input(view, self._preprocessing)) for view in views]
        rows = np.concatenate([as_input(view, self._preprocessing) for view in views])
        return np.split(self.batcher.run(rows), len(views))

    def _run_alone(self, batch: Floats) -> Floats:
        starts = range(0, max(len(batch), 1), _LARGEST_BATCH)
        with stage("infer"):
            return np.concatenate([self._session.run(batch[start : start + _LARGEST_BATCH])[0] for start in starts])


def as_input(crops: Pixels, preprocessing: Preprocessing) -> Floats:
    """Return the network's float32 input (n, 3, height, width) of RGB uint8 crops (n, height, width, 3)."""
    planes = (crops[..., ::-1] if preprocessing.is_bgr else crops).transpose(0, 3, 1, 2)
    if (preprocessing.mean, preprocessing.scale) == (0, 1):
        return planes.astype(np.float32)
    return (planes - np.float32(preprocessing.mean)) * np.float32(1 / preprocessing.scale)
