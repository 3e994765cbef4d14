"""Losses with a margin between the class of the label and the others."""

import math

import torch
from torch import Tensor

from app.training.losses.cosine_head import CosineHead
from app.training.losses.cosine_loss import CosineLoss
from app.training.losses.sampling import ClassSampler


class NormFace(CosineLoss):
    """No margin: cos(theta) times s.

    Wang, Xiang, Cheng, Yuille: "NormFace: L2 Hypersphere Embedding for Face Verification", 2017. The paper either
    learns s, or fixes it at a value that makes its bound on the loss small; here it is fixed. At s = 16, the bound is
    below 0.02 for up to a hundred thousand classes.
    """

    def target(self, theta: Tensor) -> Tensor:
        """Return cos(theta)."""
        return torch.cos(theta)


class CosFace(CosineLoss):
    """cos(theta) - m.

    Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu: "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018. The
    default s = 64 is from this paper. AM-Softmax (Wang, Cheng, Liu, Liu: "Additive Margin Softmax for Face
    Verification", 2018) is the same loss with s = 30 and the same m.
    """

    def __init__(self, head: CosineHead, sampler: ClassSampler, *, scale: float, margin: float) -> None:
        super().__init__(head, sampler, scale=scale)
        self.margin = margin

    def target(self, theta: Tensor) -> Tensor:
        """Return cos(theta) - m."""
        return torch.cos(theta) - self.margin


class CombinedMargin(CosineLoss):
    """cos(m1 theta + m2) - m3.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019, equation 4.
    The cosine of m1 theta + m2 would rise again beyond pi. There, the target is cos(theta) - delta sin(delta) - m3 with
    delta = pi - (pi - m2) / m1, the shift of the angle at that point. It is never above the minimum of the formula and
    keeps falling. With m1 = 1, this matches the authors' code for ArcFace.
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
        """Return cos(m1 theta + m2) - m3, with its continuation beyond pi."""
        inside = torch.cos(self.m1 * theta + self.m2)
        beyond = torch.cos(theta) - self.drop
        return torch.where(theta <= self.last, inside, beyond) - self.m3


class ArcFace(CombinedMargin):
    """cos(theta + m); beyond theta = pi - m, cos(theta) - m sin(pi - m), as in the authors' code.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.
    """

    def __init__(self, head: CosineHead, sampler: ClassSampler, *, scale: float, margin: float) -> None:
        super().__init__(head, sampler, scale=scale, margins=(1, margin, 0))
