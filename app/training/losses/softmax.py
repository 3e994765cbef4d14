"""The plain softmax, the baseline of all margin losses, and its relatives without a margin."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.training.losses.base import Loss, OwnClass, without_autocast
from app.training.losses.cosine_head import CosineHead, angles, nearest_centres, normalise
from app.training.losses.gathering import gather


class Softmax(Loss):
    """Cross-entropy over W x + b, without normalisation. `cosines` ignores norms and bias."""

    def __init__(self, head: CosineHead) -> None:
        super().__init__()
        self.head = head
        self.bias = nn.Parameter(torch.zeros(len(head.weight)))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss."""
        with without_autocast(features):
            logits = self.logits(features, labels)
            self._observe(features, labels, logits)
            return functional.cross_entropy(logits, labels)

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return W x + b (n, classes)."""
        del labels
        with without_autocast(features):
            return functional.linear(features.float(), self.head.weight[:, 0].float(), self.bias.float())

    @torch.no_grad()
    def _observe(self, features: Tensor, labels: Tensor, logits: Tensor) -> None:
        own = normalise(self.head.weight[:, 0].index_select(0, labels).float())
        theta = angles(normalise(features.float()), own).mean()
        self.own_class = OwnClass(theta, logits.gather(1, labels[:, None]).mean())

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosines of features and class weights (n, classes)."""
        with without_autocast(features):
            return nearest_centres(normalise(features.float()), self.head())[0]


class L2Softmax(Softmax):
    """Softmax on features of a fixed norm alpha, here `scale`. The class weights keep their norm and bias.

    Ranjan, Castillo, Chellappa: "L2-constrained Softmax Loss for Discriminative Face Verification", 2017.
    """

    def __init__(self, head: CosineHead, *, scale: float) -> None:
        super().__init__(head)
        self.scale = scale

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return W (alpha x / |x|) + b (n, classes)."""
        with without_autocast(features):
            return super().logits(self.scale * normalise(features.float()), labels)


class CenterLoss(Softmax):
    """Softmax plus weight / 2 times the mean of |x - c|^2, with c the centre of the face's class.

    Wen, Zhang, Li, Qiao: "A Discriminative Feature Learning Approach for Deep Face Recognition", 2016. The centres are
    not trained by the optimizer. In training mode, each batch moves a centre by `rate` times the sum of x - c over its
    n faces, divided by n + 1. They start at 0, are saved with the weights, and see the batches of all processes.
    """

    centers: Tensor

    def __init__(self, head: CosineHead, *, weight: float, rate: float) -> None:
        super().__init__(head)
        classes, _, dimension = head.weight.shape
        self.weight = weight
        self.rate = rate
        self.register_buffer("centers", torch.zeros(classes, dimension))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss, then move the centres in training mode."""
        with without_autocast(features):
            features = features.float()
            offsets = features - self.centers.index_select(0, labels)
            loss = super().forward(features, labels) + self.weight / 2 * offsets.square().sum(dim=1).mean()
        if self.training:
            self._move(gather(offsets), gather(labels))
        return loss

    def _move(self, offsets: Tensor, labels: Tensor) -> None:
        sums = torch.zeros_like(self.centers).index_add_(0, labels, offsets)
        ones = torch.ones_like(labels, dtype=sums.dtype)
        counts = sums.new_zeros(len(sums)).index_add_(0, labels, ones)  # the host would wait for bincount
        self.centers += self.rate * sums / (1 + counts[:, None])


class ContrastiveLoss(Softmax):
    """Softmax plus weight times the mean contrastive loss over all pairs of the batch.

    The contrastive loss of unit vectors at a Euclidean distance d is d^2 / 2 for one person, and max(0, m - d)^2 / 2
    for two. It is from Hadsell, Chopra, LeCun: "Dimensionality Reduction by Learning an Invariant Mapping", 2006. Sun,
    Wang, Tang: "Deep Learning Face Representation by Joint Identification-Verification", 2014, add it to softmax, as
    here; they compare raw features. A batch needs several faces of each person. Each process uses only its own batch.
    """

    def __init__(self, head: CosineHead, *, weight: float, margin: float) -> None:
        super().__init__(head)
        self.weight = weight
        self.margin = margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss."""
        with without_autocast(features):
            loss = super().forward(features, labels)
            separations = functional.pdist(normalise(features.float()))  # of the pairs (0, 1), (0, 2), ...
            first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
            short = (self.margin - separations).clamp(min=0)
            pairs = torch.where(labels[first] == labels[second], separations, short).square() / 2
            return loss + self.weight * pairs.sum() / max(len(pairs), 1)
