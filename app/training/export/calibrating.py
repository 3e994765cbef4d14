"""Calibration of a network that no pack has yet, and the features that a pack's network computes from crops."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin
from app.recognition.decisions.calibration.fit import calibrate
from app.training.data.folder import FolderSource
from app.training.data.source import CropSource
from app.types import Floats, Pixels
from app.vision.embedding import Embedder

_BATCH = 64
_LEAST_SPREAD = 0.01  # of a vector's elements; below it, all similarities round to 1.00


def calibrate_network(embedder: Embedder, photos: FolderSource, origin: CalibrationOrigin) -> list[Calibration]:
    """Return the calibrations on a folder of people, with and without flip averaging.

    Raises TrainingInvalid if the network does not distinguish photos, and CalibrationTooSmall for too few people.
    """
    people = [photos.classes[label] for label in photos.labels]
    calibrations = []
    for is_flip_averaged in (True, False):
        vectors, norms = _embedded(embedder, photos, is_flip_averaged=is_flip_averaged)
        if not (vectors.std(axis=0) > _LEAST_SPREAD).any():
            raise TrainingInvalid("the network gives the same vector for every photo; it cannot be calibrated")
        used = replace(origin, is_flip_averaged=is_flip_averaged)
        calibrations.append(calibrate(vectors, people, used, norms=norms))
    return calibrations


def raw_views(embedder: Embedder, source: CropSource, advance: Advance = lambda _: None) -> Floats:
    """Return the raw features of all crops and of their mirror images (n, 2, d)."""
    parts = []
    for crops in _batches(source):
        parts.append(np.stack([_raw(embedder, view) for view in (crops, crops[:, :, ::-1])], axis=1))
        advance(len(crops))
    return np.concatenate(parts)


def _batches(source: CropSource) -> Iterator[Pixels]:
    """Yield all crops (n, 112, 112, 3), a batch at a time."""
    for start in range(0, len(source.labels), _BATCH):
        yield np.stack([source.crop(place) for place in range(start, min(start + _BATCH, len(source.labels)))])


def _embedded(embedder: Embedder, photos: FolderSource, *, is_flip_averaged: bool) -> tuple[Floats, Floats]:
    vectors, norms = [], []
    for crops in _batches(photos):
        embeddings = embedder.embed(crops, is_flip_averaged=is_flip_averaged)
        vectors.append(embeddings.vectors)
        norms.append(embeddings.norms)
    return np.concatenate(vectors), np.concatenate(norms)


def _raw(embedder: Embedder, crops: Pixels) -> Floats:
    embeddings = embedder.embed(crops)
    raw: Floats = embeddings.vectors * embeddings.norms[:, None]
    return raw
