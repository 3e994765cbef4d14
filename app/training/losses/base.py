"""What every loss is to the training loop."""

import torch
from torch import Tensor, nn


class Loss(nn.Module):
    """A loss on raw features: `loss(features, labels)` with features (n, d) and labels (n,) int64 -> scalar mean loss.

    Everything inside is float32 whatever autocast does, and whatever the features' type. `state_dict()` holds all that
    a resumed run needs: the class weights, and `iteration`, the number of optimizer steps so far. `has_classes` is
    false for a loss without class weights, which has neither `logits` nor `cosines`.
    """

    has_classes = True
    iteration: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return what goes into the cross-entropy (n, classes), the margin on each label's own."""
        raise NotImplementedError

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosine of each feature with each class (n, classes), without margin or scale."""
        raise NotImplementedError

    def step(self) -> None:
        """Count an optimizer step; to be called once after each, on every process."""
        self.iteration += 1


def without_autocast(features: Tensor) -> torch.autocast:
    """Return a context in which autocast is off on the features' device."""
    return torch.autocast(features.device.type, enabled=False)
