"""The plain softmax, the baseline of all margin losses."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.training.losses.base import Loss, without_autocast
from app.training.losses.cosine_head import CosineHead, nearest_centres, normalise


class Softmax(Loss):
    """Cross-entropy over W x + b, without normalisation. `cosines` ignores norms and bias."""

    def __init__(self, head: CosineHead) -> None:
        super().__init__()
        self.head = head
        self.bias = nn.Parameter(torch.zeros(len(head.weight)))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss."""
        with without_autocast(features):
            return functional.cross_entropy(self.logits(features, labels), labels)

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return W x + b (n, classes)."""
        del labels
        with without_autocast(features):
            return functional.linear(features.float(), self.head.weight[:, 0].float(), self.bias.float())

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosines of features and class weights (n, classes)."""
        with without_autocast(features):
            return nearest_centres(normalise(features.float()), self.head())[0]
