"""An adapter learned from embeddings of known people: the network that made them stays as it is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.errors import TrainingInvalid
from app.faces import Floats
from app.training.data.values import Labels
from app.training.finetune.adaptation import Adaptation
from app.training.losses import LossSpec, build_loss

_LOSS = LossSpec("cosface", scale=32, margin=0.2)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an adapter is learned; `decay` pulls it back to what changes nothing."""

    loss: LossSpec = _LOSS
    steps: int = 300
    rate: float = 1e-3
    decay: float = 1e-2
    seed: int = 0


class _Adapter(nn.Module):
    """u + delta u + bias on unit vectors (n, d), of which nothing is left at first but u."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.delta = nn.Parameter(torch.zeros(dimension, dimension))
        self.bias = nn.Parameter(torch.zeros(dimension))

    def forward(self, units: Tensor) -> Tensor:
        return units + functional.linear(units, self.delta, self.bias)

    def distance(self) -> Tensor:
        """Say how far it is from changing nothing."""
        return self.delta.square().sum() + self.bias.square().sum()


def train_adapter(
    views: Floats, labels: Labels, recipe: Recipe, told: Callable[[int], None] = lambda _: None
) -> Adaptation:
    """Learn an adapter from raw features (n, views, d) of n photos, each seen in several ways, and whose they are (n,).

    Raises TrainingInvalid when nobody has two photos.
    """
    if (np.bincount(labels) > 1).sum() < 2:
        raise TrainingInvalid("an adapter is learned from people with two photos or more; there are none")
    torch.manual_seed(recipe.seed)
    units = functional.normalize(torch.from_numpy(views.reshape(-1, views.shape[-1])), dim=1)
    owners = torch.from_numpy(np.repeat(labels, views.shape[1]))
    adapter = _Adapter(units.shape[1])
    loss = build_loss(recipe.loss, classes=int(labels.max()) + 1, dimension=units.shape[1])
    with torch.no_grad():
        # Everybody's centre is known from the start: their own photos' mean.
        loss.head.weight.zero_().index_add_(0, owners, units[:, None])
    optimiser = torch.optim.Adam([*adapter.parameters(), *loss.parameters()], recipe.rate)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    for _ in range(recipe.steps):
        optimiser.zero_grad()
        (loss(adapter(units), owners) + recipe.decay * adapter.distance()).backward()
        optimiser.step()
        rates.step()
        told(1)
    matrix = torch.eye(units.shape[1]) + adapter.delta.detach()
    return Adaptation(matrix.numpy(), adapter.bias.detach().numpy())
