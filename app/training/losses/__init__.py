"""Training losses, from the plain softmax to margins on the hypersphere."""

from app.training.losses.base import Loss
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec

__all__ = ["Loss", "LossSpec", "build_loss"]
