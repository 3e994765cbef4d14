"""Training of an adapter on embeddings of known people, without changing the network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from app.errors import TrainingInvalid
from app.training.data.source import Labels
from app.training.finetune.linear_adapter import LinearAdapter
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from app.types import Floats

_LOSS = LossSpec("cosface", scale=32, margin=0.2)


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """Hyperparameters, chosen on half of the training people of `benchmarks/adapter.py`.

    `shrinkage` regularises the covariance of the initial adapter; `decay` pulls the adapter towards the initial one.
    """

    loss: LossSpec = _LOSS
    shrinkage: float = 3.0
    steps: int = 120
    rate: float = 2e-4
    class_rate: float = 1e-2
    decay: float = 1e-2
    seed: int = 0


def train_adapter(
    views: Floats, labels: Labels, settings: AdapterSettings, on_step: Callable[[int], None] = lambda _: None
) -> LinearAdapter:
    """Train an adapter on raw features (n, views, d) of n photos with labels (n,), each photo in several views.

    Starts from `initial_adapter` and minimises a margin loss over all photos at once. `on_step` is called with 1 after
    each step. Raises TrainingInvalid if fewer than two people have two photos.
    """
    if (np.bincount(labels) > 1).sum() < 2:
        raise TrainingInvalid("an adapter needs at least two people with two photos or more")
    torch.manual_seed(settings.seed)
    initial = initial_adapter(views, labels, settings.shrinkage)
    dimension = views.shape[-1]
    units = functional.normalize(torch.from_numpy(views.reshape(-1, dimension)), dim=1)
    owners = torch.from_numpy(np.repeat(labels, views.shape[1]))
    matrix, bias = (torch.from_numpy(values).clone().requires_grad_() for values in (initial.matrix, initial.bias))
    loss = build_loss(settings.loss, classes=int(labels.max()) + 1, dimension=dimension)
    _initialise_centres(loss.head.weight, functional.linear(units, matrix, bias), owners)
    optimiser = torch.optim.Adam(
        [{"params": [matrix, bias]}, {"params": loss.parameters(), "lr": settings.class_rate}], settings.rate
    )
    for _ in range(settings.steps):
        optimiser.zero_grad()
        deviation = _squared_distance(matrix, initial.matrix) + _squared_distance(bias, initial.bias)
        (loss(functional.linear(units, matrix, bias), owners) + settings.decay * deviation).backward()
        optimiser.step()
        loss.step()
        on_step(1)
    return LinearAdapter(matrix.detach().numpy(), bias.detach().numpy())


def initial_adapter(views: Floats, labels: Labels, shrinkage: float) -> LinearAdapter:
    """Return an adapter that subtracts the mean and whitens the differences between photos of one person.

    A shift common to all photos makes strangers similar to each other; subtracting the mean removes it. The rest is
    within-class covariance normalisation (Hatch, Kajarekar, Stolcke: "Within-Class Covariance Normalization for
    SVM-based Speaker Recognition", 2006), shrunk towards the identity.
    """
    units = views.astype(np.float64)
    units /= np.maximum(np.linalg.norm(units, axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    photos = units.mean(axis=1)
    counts = np.bincount(labels)
    means = np.zeros((len(counts), views.shape[-1]))
    np.add.at(means, labels, photos)
    means /= np.maximum(counts, 1)[:, None]
    deviations = (photos - means[labels])[counts[labels] > 1]
    within = deviations.T @ deviations
    covariance = within / np.trace(within) * len(within) if np.trace(within) > 0 else np.eye(len(within))
    values, directions = np.linalg.eigh((covariance + shrinkage * np.eye(len(within))) / (1 + shrinkage))
    matrix = (directions / np.sqrt(values)) @ directions.T
    bias = -matrix @ units.mean(axis=(0, 1))
    return LinearAdapter(matrix.astype(np.float32), bias.astype(np.float32))


def _initialise_centres(weight: Tensor, adapted: Tensor, owners: Tensor) -> None:
    """Initialise the centre of each person with the mean of their photos."""
    with torch.no_grad():
        weight.zero_().index_add_(0, owners, functional.normalize(adapted)[:, None])
        weight.copy_(functional.normalize(weight, dim=-1))


def _squared_distance(current: Tensor, initial: Floats) -> Tensor:
    return (current - torch.from_numpy(initial)).square().sum()
