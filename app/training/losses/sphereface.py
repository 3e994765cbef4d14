"""SphereFace: a multiplicative angular margin with annealing."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from app.training.losses.cosine_head import CosineHead
from app.training.losses.cosine_loss import CosineLoss
from app.training.losses.sampling import ClassSampler


@dataclass(frozen=True, slots=True)
class Annealing:
    """Weight of the plain cosine: lambda = max(minimum, maximum / (1 + decay * iteration))."""

    maximum: float
    decay: float
    minimum: float

    def at(self, iteration: Tensor) -> Tensor:
        """Return lambda, a scalar on the device of `iteration`."""
        return (self.maximum / (1 + self.decay * iteration.float())).clamp(min=self.minimum)


class SphereFace(CosineLoss):
    """A-Softmax: psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi / m, (k + 1) pi / m].

    Liu, Wen, Yu, Li, Raj, Song: "SphereFace: Deep Hypersphere Embedding for Face Recognition", 2017. As in the authors'
    code, the target is (lambda cos(theta) + psi(theta)) / (1 + lambda). In their published run, lambda falls from 1000
    to 5 as max(5, 1000 / (1 + 0.12 iteration)). Without `scale`, the norm of the features is the scale; with it, the
    features are normalised, as in the comparisons of later papers.
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
        """Return the norms of the features (n, 1), or s."""
        if self.is_feature_normalised:
            return self.scale
        return torch.linalg.vector_norm(features, dim=1, keepdim=True)
