"""Initialisation of a projection: the linear layer from a student's features to the teacher's embeddings."""

import numpy as np
import torch
from torch import nn

from app.training.data.source import CropSource
from app.training.evaluating import embed
from app.types import Floats

MOST_CROPS = 1_000
_RIDGE = 1e-3  # of the mean variance of the features


def fit_projection(backbone: nn.Module, source: CropSource, targets: Floats) -> None:
    """Fit the projection of a backbone by ridge regression; a backbone without one does not change.

    Args:
        backbone: The student; a projection is its last layer.
        source: Crops. At most 1,000 are used, at equal intervals.
        targets: The teacher's embeddings of all crops (n, d).
    """
    if not (isinstance(backbone, nn.Sequential) and isinstance(backbone[-1], nn.Linear)):
        return
    places = np.unique(np.linspace(0, len(targets) - 1, min(len(targets), MOST_CROPS)).astype(int)).tolist()
    crops = np.stack([source.crop(place) for place in places])
    features = embed(backbone[:-1], crops, is_flip_averaged=False).astype(np.float64)
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    covariance = units.T @ units
    ridge = _RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    weights = np.linalg.solve(covariance + ridge, units.T @ targets[places])
    with torch.no_grad():
        backbone[-1].weight.copy_(torch.from_numpy(weights.T))
