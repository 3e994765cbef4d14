"""The interface of losses to the training loop."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class OwnClass:
    """Means over a batch, as scalars without a gradient.

    Args:
        theta: Angle between a feature and the class weight of its label, in radians.
        target_logit: Logit of the label's class, with margin and scale.
    """

    theta: Tensor
    target_logit: Tensor


class Loss(nn.Module):
    """A loss on raw features: `loss(features, labels)` with features (n, d) and labels (n,) int64 -> scalar mean loss.

    All computations are in float32, regardless of autocast and the type of the features. `state_dict()` contains the
    class weights and `iteration`, the number of optimizer steps so far, which a resumed run needs. If `has_classes` is
    false, the loss has no class weights and therefore neither `logits` nor `cosines`.
    """

    has_classes = True
    own_class: OwnClass | None = None
    """Of the last batch, if the loss has classes."""
    iteration: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the logits (n, classes) of the cross-entropy, with the margin applied to the class of each label."""
        raise NotImplementedError

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosine of each feature to each class (n, classes), without margin or scale."""
        raise NotImplementedError

    def step(self) -> None:
        """Count an optimizer step. Every process must call this once after each step."""
        self.iteration += 1


def without_autocast(features: Tensor) -> torch.autocast:
    """Return a context manager that disables autocast on the device of the features."""
    return torch.autocast(features.device.type, enabled=False)
