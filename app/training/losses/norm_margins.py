"""Losses whose margin depends on the norm of the feature. The norm then indicates the quality of the photo."""

import math

import torch
from torch import Tensor

from app.training.losses.base import without_autocast
from app.training.losses.cosine_head import CosineHead
from app.training.losses.cosine_loss import CosineLoss
from app.training.losses.gathering import gather
from app.training.losses.sampling import ClassSampler

_SHORTEST, _LONGEST = 0.001, 100.0  # the norms that AdaFace distinguishes, as in the authors' code
_EPSILON = 1e-3  # added to the standard deviation, as in the authors' code
_FIRST_MEAN, _FIRST_DEVIATION = 20.0, 100.0  # of the norms, as in the authors' code


class AdaFace(CosineLoss):
    """Loss with the target logit cos(theta - m z) - (m + m z), where z measures the quality of the photo.

    Kim, Jain, Liu: "AdaFace: Quality Adaptive Margin for Face Recognition", 2022.

    z is h (norm - mean) / deviation of the feature's norm, clamped to -1..1. No gradient flows through it. Mean and
    deviation are moving averages over the batches of all processes, and are saved with the weights. A photo of low
    quality (z = -1) gets the angular margin of ArcFace. One of high quality (z = 1) gets a negative angular margin, and
    an additive margin of 2 m.

    The shifted angle is clamped to 0..pi. The authors' code clamps it to 0.001..pi - 0.001, and cosines to +-0.999.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        head: CosineHead,
        sampler: ClassSampler,
        *,
        scale: float,
        margin: float,
        concentration: float,
        momentum: float,
    ) -> None:
        """Build the loss.

        Args:
            head: Class weights.
            sampler: Classes of each step.
            scale: s.
            margin: m.
            concentration: h.
            momentum: Share of a new batch in the moving averages.
        """
        super().__init__(head, sampler, scale=scale)
        self.margin = margin
        self.concentration = concentration
        self.momentum = momentum
        self.register_buffer("mean", torch.tensor(_FIRST_MEAN))
        self.register_buffer("deviation", torch.tensor(_FIRST_DEVIATION))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss; in training mode, first update the moving averages of the norm."""
        if self.training:
            self._update_averages(features)
        return super().forward(features, labels)

    def target(self, theta: Tensor) -> Tensor:
        """Return the target logit of a feature with the mean norm: cos(theta) - m."""
        return torch.cos(theta) - self.margin

    def targets(self, theta: Tensor, features: Tensor) -> Tensor:
        """Return cos(theta - m z) - (m + m z)."""
        shift = self.margin * self.quality(features)
        return torch.cos((theta - shift).clamp(0, math.pi)) - (self.margin + shift)

    def quality(self, features: Tensor) -> Tensor:
        """Return z (n,) of float32 features (n, d)."""
        relative = (_norms(features) - self.mean) / (self.deviation + _EPSILON)
        return (self.concentration * relative).clamp(-1, 1)

    def _update_averages(self, features: Tensor) -> None:
        norms = gather(_norms(features.float()))
        self.mean.lerp_(norms.mean(), self.momentum)
        if len(norms) > 1:
            self.deviation.lerp_(norms.std(), self.momentum)


class MagFace(CosineLoss):
    """Loss with the target logit cos(theta + m(a)), where a is the norm of the feature, plus weight * g(a).

    Meng, Zhao, Huang, Zhou: "MagFace: A Universal Representation for Face Recognition and Quality Assessment", 2021.

    a is clamped to `norms`. The margin m(a) rises linearly from the first to the second of `margins`. The regulariser
    g(a) = a / longest ** 2 + 1 / a falls with a, so it lengthens features. The margin shortens those at a large angle
    to their class. As in the authors' code, angles beyond 90 degrees have no margin. The default weight is that of
    their published run.
    """

    def __init__(
        self,
        head: CosineHead,
        sampler: ClassSampler,
        *,
        scale: float,
        norms: tuple[float, float],
        margins: tuple[float, float],
        weight: float,
    ) -> None:
        super().__init__(head, sampler, scale=scale)
        self.norms = norms
        self.margins = margins
        self.weight = weight

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss plus the mean of weight * g(a)."""
        loss = super().forward(features, labels)
        with without_autocast(features):
            lengths = self._lengths(features.float())
            return loss + self.weight * (lengths / self.norms[1] ** 2 + 1 / lengths).mean()

    def target(self, theta: Tensor) -> Tensor:
        """Return the target logit of a feature with the shortest norm."""
        return self._with_margin(theta, torch.full_like(theta, self.margins[0]))

    def targets(self, theta: Tensor, features: Tensor) -> Tensor:
        """Return cos(theta + m(a)), or cos(theta) beyond 90 degrees."""
        (shortest, longest), (least, most) = self.norms, self.margins
        slope = (most - least) / (longest - shortest)
        return self._with_margin(theta, least + slope * (self._lengths(features) - shortest))

    def _lengths(self, features: Tensor) -> Tensor:
        return torch.linalg.vector_norm(features, dim=1).clamp(*self.norms)

    @staticmethod
    def _with_margin(theta: Tensor, margin: Tensor) -> Tensor:
        return torch.cos(torch.where(theta < math.pi / 2, theta + margin, theta))


def _norms(features: Tensor) -> Tensor:
    return torch.linalg.vector_norm(features.detach(), dim=1).clamp(_SHORTEST, _LONGEST)
