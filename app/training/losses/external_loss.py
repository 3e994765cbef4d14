"""Any other loss, by the name of its class."""

from typing import Any

from torch import Tensor, nn

from app.errors import TrainingInvalid
from app.training.external import import_class
from app.training.losses.base import Loss, without_autocast


class ExternalLoss(Loss):
    """A module of raw features (n, d) float32 and labels (n,) int64 -> scalar mean loss.

    Raises TrainingInvalid if the module returns anything but a scalar.
    """

    has_classes = False

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self._name = name

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the module's loss."""
        with without_autocast(features):
            loss = self.module(features.float(), labels)
        if not isinstance(loss, Tensor) or loss.ndim:
            shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise TrainingInvalid(f"loss {self._name} must return a scalar tensor, not {shape}")
        return loss


def build_external_loss(name: str, *, classes: int, dimension: int, options: dict[str, Any]) -> Loss:
    """Construct the class with `classes`, `dimension` and the options; raises TrainingInvalid if it does not fit."""
    kind = import_class(name, nn.Module)
    try:
        module = kind(classes=classes, dimension=dimension, **options)
    except (TypeError, ValueError) as error:
        raise TrainingInvalid(
            f"loss {name} cannot be constructed with classes, dimension and loss.options: {error}"
        ) from error
    return module if isinstance(module, Loss) else ExternalLoss(module, name)
