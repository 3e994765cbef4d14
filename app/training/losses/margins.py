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


class WeightNorm(CosineLoss):
    """No margin: cos(theta) times the norm of the feature. Only the class weights are normalised, without a bias.

    This is the modified softmax of Liu, Wen, Yu, Li, Raj, Song: "SphereFace: Deep Hypersphere Embedding for Face
    Recognition", 2017, section 3.1. The comparisons of the ArcFace paper call it W-Norm.
    """

    def __init__(self, head: CosineHead, sampler: ClassSampler) -> None:
        super().__init__(head, sampler, scale=1)

    def target(self, theta: Tensor) -> Tensor:
        """Return cos(theta)."""
        return torch.cos(theta)

    def scales(self, features: Tensor) -> Tensor:
        """Return the norms of the features (n, 1)."""
        return torch.linalg.vector_norm(features, dim=1, keepdim=True)


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
    keeps falling. With m1 = 1, this matches the authors' earlier code for ArcFace.

    Value and gradient are those of the formula. The authors' present code in PyTorch (arcface_torch/losses.py, 2026)
    differs in two ways. It computes the logit outside of automatic differentiation. Its gradient is therefore that of
    s cos(theta): it lacks the factor sin(theta + m) / sin(theta), which for m = 0.5 is 1.15 at 60 degrees and 1.36 at
    45. It also lets the logit rise again beyond pi - m.
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
    """cos(theta + m); beyond theta = pi - m, cos(theta) - m sin(pi - m); see CombinedMargin.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.
    """

    def __init__(self, head: CosineHead, sampler: ClassSampler, *, scale: float, margin: float) -> None:
        super().__init__(head, sampler, scale=scale, margins=(1, margin, 0))
