"""An adapter learned from embeddings of known people: the network that made them stays as it is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from app.errors import TrainingInvalid
from app.faces import Floats
from app.training.data.values import Labels
from app.training.finetune.adaptation import Adaptation
from app.training.losses import LossSpec, build_loss

_LOSS = LossSpec("cosface", scale=32, margin=0.2)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an adapter is learned; chosen on half of the learning people of `benchmarks/adapter.py`.

    `shrinkage` is how little the start trusts the spread it has seen; `decay` pulls the adapter back to the start.
    """

    loss: LossSpec = _LOSS
    shrinkage: float = 3.0
    steps: int = 120
    rate: float = 2e-4
    class_rate: float = 1e-2
    decay: float = 1e-2
    seed: int = 0


def train_adapter(
    views: Floats, labels: Labels, recipe: Recipe, told: Callable[[int], None] = lambda _: None
) -> Adaptation:
    """Learn an adapter from raw features (n, views, d) of n photos, each seen in several ways, and whose they are (n,).

    It begins with what can be counted (`start`), and is trained from there by a margin loss over the people, all
    photos at once. Raises TrainingInvalid when fewer than two people have two photos.
    """
    if (np.bincount(labels) > 1).sum() < 2:
        raise TrainingInvalid("an adapter is learned from people with two photos or more; there are too few")
    torch.manual_seed(recipe.seed)
    first = start(views, labels, recipe.shrinkage)
    dimension = views.shape[-1]
    units = functional.normalize(torch.from_numpy(views.reshape(-1, dimension)), dim=1)
    owners = torch.from_numpy(np.repeat(labels, views.shape[1]))
    matrix, bias = (torch.from_numpy(each).clone().requires_grad_() for each in (first.matrix, first.bias))
    loss = build_loss(recipe.loss, classes=int(labels.max()) + 1, dimension=dimension)
    _place_centres(loss.head.weight, functional.linear(units, matrix, bias), owners)
    optimiser = torch.optim.Adam(
        [{"params": [matrix, bias]}, {"params": loss.parameters(), "lr": recipe.class_rate}], recipe.rate
    )
    for _ in range(recipe.steps):
        optimiser.zero_grad()
        strayed = _squared(matrix, first.matrix) + _squared(bias, first.bias)
        (loss(functional.linear(units, matrix, bias), owners) + recipe.decay * strayed).backward()
        optimiser.step()
        loss.step()
        told(1)
    return Adaptation(matrix.detach().numpy(), bias.detach().numpy())


def start(views: Floats, labels: Labels, shrinkage: float) -> Adaptation:
    """Return what takes away the mean, and evens out how much photos of one person differ in each direction.

    A shift that all photos share moves all embeddings the same way, so that strangers resemble each other; the mean is
    that shift. The rest is within-class covariance normalisation (Hatch, Kajarekar, Stolcke: "Within-Class Covariance
    Normalization for SVM-based Speaker Recognition", 2006), shrunk towards none.
    """
    units = views.astype(np.float64)
    units /= np.maximum(np.linalg.norm(units, axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    photos = units.mean(axis=1)
    counts = np.bincount(labels)
    means = np.zeros((len(counts), views.shape[-1]))
    np.add.at(means, labels, photos)
    means /= np.maximum(counts, 1)[:, None]
    apart = (photos - means[labels])[counts[labels] > 1]
    within = apart.T @ apart
    even = within / np.trace(within) * len(within) if np.trace(within) > 0 else np.eye(len(within))
    values, directions = np.linalg.eigh((even + shrinkage * np.eye(len(within))) / (1 + shrinkage))
    matrix = (directions / np.sqrt(values)) @ directions.T
    bias = -matrix @ units.mean(axis=(0, 1))
    return Adaptation(matrix.astype(np.float32), bias.astype(np.float32))


def _place_centres(weight: Tensor, adapted: Tensor, owners: Tensor) -> None:
    """Begin with everybody's centre at the mean of their own photos."""
    with torch.no_grad():
        weight.zero_().index_add_(0, owners, functional.normalize(adapted)[:, None])
        weight.copy_(functional.normalize(weight, dim=-1))


def _squared(now: Tensor, before: Floats) -> Tensor:
    return (now - torch.from_numpy(before)).square().sum()
