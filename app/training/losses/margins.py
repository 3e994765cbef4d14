"""Losses that differ from the softmax over cosines by a margin of the label's own class."""

import math

import torch
from torch import Tensor

from app.training.losses.cosine_head import CosineHead
from app.training.losses.cosine_loss import CosineLoss
from app.training.losses.sampling import ClassSampler


class NormFace(CosineLoss):
    """No margin: cos(theta) times s.

    Wang, Xiang, Cheng, Yuille: "NormFace: L2 Hypersphere Embedding for Face Verification", 2017. The paper lets s be
    learned, or fixes it where its bound on the loss is small enough; here it is fixed. At s = 16 the bound is below
    0.02 up to a hundred thousand classes.
    """

    def target(self, theta: Tensor) -> Tensor:
        """Return cos(theta)."""
        return torch.cos(theta)


class CosFace(CosineLoss):
    """cos(theta) - m.

    Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu: "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018,
    whose s = 64 is the default; it is AM-Softmax (Wang, Cheng, Liu, Liu: "Additive Margin Softmax for Face
    Verification", 2018), where s is 30 and m the same.
    """

    def __init__(self, head: CosineHead, sampler: ClassSampler, *, scale: float, margin: float) -> None:
        super().__init__(head, sampler, scale=scale)
        self.margin = margin

    def target(self, theta: Tensor) -> Tensor:
        """Return cos(theta) - m."""
        return torch.cos(theta) - self.margin


class Combined(CosineLoss):
    """cos(m1 theta + m2) - m3.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019, equation 4.
    Where m1 theta + m2 is beyond pi its cosine would rise again. From there on the target is
    cos(theta) - delta sin(delta) - m3 with delta = pi - (pi - m2) / m1, the shift of the angle at that place: never
    above the formula's least value, and falling on. With m1 = 1 it is what the authors' ArcFace does.
    """

    def __init__(
        self, head: CosineHead, sampler: ClassSampler, *, scale: float, margins: tuple[float, float, float]
    ) -> None:
        super().__init__(head, sampler, scale=scale)
        self.m1, self.m2, self.m3 = margins
        self.last = (math.pi - self.m2) / self.m1
        shift = math.pi - self.last
        self.drop = shift * math.sin(shift)

    def target(self, theta: Tensor) -> Tensor:
        """Return cos(m1 theta + m2) - m3, and what continues it beyond pi."""
        inside = torch.cos(self.m1 * theta + self.m2)
        beyond = torch.cos(theta) - self.drop
        return torch.where(theta <= self.last, inside, beyond) - self.m3


class ArcFace(Combined):
    """cos(theta + m); beyond theta = pi - m, cos(theta) - m sin(pi - m), as the authors' code does it.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.
    """

    def __init__(self, head: CosineHead, sampler: ClassSampler, *, scale: float, margin: float) -> None:
        super().__init__(head, sampler, scale=scale, margins=(1, margin, 0))
