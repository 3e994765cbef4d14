"""Activation checkpointing: less memory for about a third more computation."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from app.errors import TrainingInvalid


class BackboneBody(nn.Sequential):
    """The layers of a backbone up to its last feature map.

    With `is_checkpointed`, the backward pass computes the inside of each unit again instead of keeping it (Chen, Xu,
    Zhang, Guestrin: "Training Deep Nets with Sublinear Memory Cost", 2016). The weights, the gradients and the running
    statistics are the same bits as without.
    """

    is_checkpointed = False

    def forward(self, maps: Tensor) -> Tensor:
        """Apply the layers one after another."""
        for layer in self:
            if self.is_checkpointed and self.training and any(layer.children()):
                contexts = partial(_contexts, layer)
                maps = checkpoint(layer, maps, use_reentrant=False, context_fn=contexts)
            else:
                maps = layer(maps)
        return maps


def checkpoint_activations(backbone: nn.Module) -> None:
    """Switch activation checkpointing on; raises TrainingInvalid if the backbone has no units for it."""
    bodies = [module for module in backbone.modules() if isinstance(module, BackboneBody)]
    if not bodies:
        raise TrainingInvalid("machine.checkpoint_activations is for IResNet, MobileFaceNet and SphereFace's network")
    for body in bodies:
        body.is_checkpointed = True


def _contexts(layer: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return the contexts of the forward pass and of the repetition, which must not count in running statistics."""
    return nullcontext(), _without_running_statistics(layer)


@contextmanager
def _without_running_statistics(layer: nn.Module) -> Iterator[None]:
    """Suspend the update of running statistics; the layers still see them, so autograd saves the same tensors."""
    norms = [module for module in layer.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
