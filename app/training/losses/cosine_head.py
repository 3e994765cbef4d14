"""Class weights that all cosine losses share, and operations on unit vectors."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_INITIAL_STD = 0.01
_TINY = 1e-6  # shorter features have no direction; dividing by the norm would only amplify rounding errors


class CosineHead(nn.Module):
    """Class weights (classes, sub_centers, d), initialised N(0, 0.01).

    With several sub-centres, the nearest one represents the class (Deng, Guo, Liu, Gong, Zafeiriou: "Sub-center
    ArcFace: Boosting Face Recognition by Large-Scale Noisy Web Faces", 2020): clean photos gather at one of them and
    mislabelled photos at the others. Only the direction of the weights matters.
    """

    def __init__(self, classes: int, dimension: int, sub_centers: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, sub_centers, dimension))
        nn.init.normal_(self.weight, 0, _INITIAL_STD)

    def forward(self, classes: Tensor | None = None) -> Tensor:
        """Return unit-norm centres (classes, sub_centers, d), float32, of all classes or of the given ones (c,)."""
        weight = self.weight if classes is None else self.weight.index_select(0, classes)
        return normalise(weight.float())


def normalise(vectors: Tensor) -> Tensor:
    """Scale float32 vectors (..., d) to unit norm. Vectors without a direction become 0 with zero gradient."""
    norms = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    has_direction = norms > _TINY
    return vectors * torch.where(has_direction, 1 / torch.where(has_direction, norms, 1), 0)


def nearest_centres(units: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cosine of unit vectors (n, d) to the nearest sub-centre of each class, and its index, both (n, c)."""
    classes, sub_centers, _ = centers.shape
    cosines = functional.linear(units, centers.flatten(0, 1)).clamp(-1, 1)
    values, winners = cosines.view(-1, classes, sub_centers).max(dim=2)
    return values, winners


def angles(units: Tensor, others: Tensor) -> Tensor:
    """Return the angles (n,) in 0..pi between corresponding unit vectors (n, d).

    The formula 2 atan2(|a - b|, |a + b|) (Kahan: "How Futile are Mindless Assessments of Roundoff in Floating-Point
    Computation?", 2006) is as exact as its inputs at every angle. The arc cosine of float32 has errors of 3e-4 near 0
    and pi, and its slope 1 / sqrt(1 - cos^2) is unbounded there. The slope of this formula is at most 1, and 0 where
    the direction of steepest ascent is undefined.
    """
    difference = torch.linalg.vector_norm(units - others, dim=-1)
    total = torch.linalg.vector_norm(units + others, dim=-1)
    return 2 * torch.atan2(difference, total)
