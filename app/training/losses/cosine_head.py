"""The head that all losses on cosines share: class weights, of which only the direction counts."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_SPREAD = 0.01
_TINY = 1e-6  # a feature this short has no direction; dividing by its norm would only magnify rounding


class CosineHead(nn.Module):
    """Class weights (classes, sub_centers, d), initialised N(0, 0.01).

    With several sub-centres a class is as near as the nearest of them (Deng, Guo, Liu, Gong, Zafeiriou: "Sub-center
    ArcFace: Boosting Face Recognition by Large-Scale Noisy Web Faces", 2020): clean photos gather at one, and noise at
    the others.
    """

    def __init__(self, classes: int, dimension: int, sub_centers: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, sub_centers, dimension))
        nn.init.normal_(self.weight, 0, _SPREAD)

    def forward(self, classes: Tensor | None = None) -> Tensor:
        """Return unit-norm centres (classes, sub_centers, d), float32: of all classes, or of those asked for (c,)."""
        weight = self.weight if classes is None else self.weight.index_select(0, classes)
        return unit(weight.float())


def unit(vectors: Tensor) -> Tensor:
    """Return float32 vectors (..., d) with unit norm; those without a direction are 0, and so is their gradient."""
    norms = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    is_long = norms > _TINY
    return vectors * torch.where(is_long, 1 / torch.where(is_long, norms, 1), 0)


def nearest(units: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Return each class's cosine with units (n, d) at its nearest sub-centre, and which one that is, both (n, c)."""
    classes, sub_centers, _ = centers.shape
    cosines = functional.linear(units, centers.flatten(0, 1)).clamp(-1, 1)
    values, winners = cosines.view(-1, classes, sub_centers).max(dim=2)
    return values, winners


def angles(units: Tensor, others: Tensor) -> Tensor:
    """Return the angles (n,) in 0..pi between unit vectors (n, d), two by two.

    2 atan2(|a - b|, |a + b|) (Kahan: "How Futile are Mindless Assessments of Roundoff in Floating-Point Computation?",
    2006) is exact to the rounding of its inputs at every angle. The arc cosine of float32 is off by 3e-4 near 0 and pi,
    and its slope 1 / sqrt(1 - cos^2) is without bound there; here the slope is at most 1, and 0 where the direction of
    steepest ascent is undefined.
    """
    apart = torch.linalg.vector_norm(units - others, dim=-1)
    together = torch.linalg.vector_norm(units + others, dim=-1)
    return 2 * torch.atan2(apart, together)
