"""SphereFace: the angle multiplied, brought in gradually."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from app.training.losses.cosine_head import CosineHead
from app.training.losses.cosine_loss import CosineLoss
from app.training.losses.sampling import ClassSampler


@dataclass(frozen=True, slots=True)
class Annealing:
    """lambda = max(least, most / (1 + decay * iteration)): how much of the plain cosine is still mixed in."""

    most: float
    decay: float
    least: float

    def at(self, iteration: Tensor) -> Tensor:
        """Return lambda, a scalar on the iteration's device."""
        return (self.most / (1 + self.decay * iteration.float())).clamp(min=self.least)


class SphereFace(CosineLoss):
    """A-Softmax: psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi / m, (k + 1) pi / m].

    Liu, Wen, Yu, Li, Raj, Song: "SphereFace: Deep Hypersphere Embedding for Face Recognition", 2017. As in the authors'
    code the target is (lambda cos(theta) + psi(theta)) / (1 + lambda); their published run has lambda fall from 1000 to
    5 as max(5, 1000 / (1 + 0.12 iteration)). The features keep their norm, which is the scale, unless `scale` is given
    (features normalised, as later papers compare it).
    """

    def __init__(
        self, head: CosineHead, sampler: ClassSampler, *, scale: float | None, margin: int, annealing: Annealing
    ) -> None:
        super().__init__(head, sampler, scale=1 if scale is None else scale)
        self.margin = margin
        self.annealing = annealing
        self.is_feature_normalised = scale is not None

    def target(self, theta: Tensor) -> Tensor:
        """Return the mean of psi(theta) and cos(theta), weighted 1 : lambda."""
        k = torch.floor(self.margin * theta.detach() / math.pi).clamp(max=self.margin - 1)
        psi = (1 - 2 * (k % 2)) * torch.cos(self.margin * theta) - 2 * k
        plain = self.annealing.at(self.iteration)
        return (plain * torch.cos(theta) + psi) / (1 + plain)

    def scales(self, features: Tensor) -> Tensor | float:
        """Return the features' norms (n, 1), or s."""
        if self.is_feature_normalised:
            return self.scale
        return torch.linalg.vector_norm(features, dim=1, keepdim=True)
