"""Construction of the optimizer of a run."""

from typing import Any

import torch

from app.errors import TrainingInvalid
from app.training.config import TrainingConfig
from app.training.external import import_class
from app.training.learner import Learner

_KINDS: dict[str, type[torch.optim.Optimizer]] = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}


def build_optimiser(learner: Learner, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimizer for the learner's weights. The loop sets the rate of each iteration.

    Raises TrainingInvalid if another class cannot be used.
    """
    optimiser = config.optimiser
    shared: dict[str, Any] = {"lr": config.schedule.learning_rate, "weight_decay": optimiser.weight_decay}
    groups = learner.parameter_groups()
    if optimiser.name == "sgd":
        shared["momentum"] = optimiser.momentum
    kind = _KINDS.get(optimiser.name) or import_class(optimiser.name, torch.optim.Optimizer)
    try:
        return kind(groups, **shared, **optimiser.options)
    except (TypeError, ValueError) as error:
        raise TrainingInvalid(f"optimiser {optimiser.name} cannot be constructed: {error}") from error
