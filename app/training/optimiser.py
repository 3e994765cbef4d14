"""Construction of the optimizer of a run."""

from collections.abc import Mapping
from typing import Any

import torch

from app.errors import TrainingInvalid
from app.training.config import TrainingConfig
from app.training.external import import_class
from app.training.learner import Learner

_KINDS: dict[str, type[torch.optim.Optimizer]] = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
_IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")  # keys of a group that depend on the device


def build_optimiser(learner: Learner, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimizer for the learner's weights, on their device. The loop sets the rate of each iteration.

    On a GPU, sgd and adamw are fused: with fp16, the host then does not wait for GradScaler's check in each step.

    Raises TrainingInvalid if another class cannot be used.
    """
    optimiser = config.optimiser
    shared: dict[str, Any] = {"lr": config.schedule.learning_rate, "weight_decay": optimiser.weight_decay}
    groups = learner.parameter_groups()
    if optimiser.name == "sgd":
        shared["momentum"] = optimiser.momentum
    is_on_gpu = any(parameter.is_cuda for group in groups for parameter in group["params"])
    if is_on_gpu and optimiser.name in _KINDS and not set(_IMPLEMENTATION) & set(optimiser.options):
        shared["fused"] = True
    kind = _KINDS.get(optimiser.name) or import_class(optimiser.name, torch.optim.Optimizer)
    try:
        built = kind(groups, **shared, **optimiser.options)
    except (TypeError, ValueError) as error:
        raise TrainingInvalid(f"optimiser {optimiser.name} cannot be constructed: {error}") from error
    _start_momentum(built)
    return built


def load_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Load a saved state, perhaps from another device: the implementation stays as it was built for this one.

    Raises ValueError and KeyError if the state does not fit.
    """
    groups = [
        {**saved, **{key: built[key] for key in _IMPLEMENTATION if key in built}}
        for saved, built in zip(state["param_groups"], optimiser.param_groups, strict=True)
    ]
    optimiser.load_state_dict({**state, "param_groups": groups})
    _start_momentum(optimiser)


def _start_momentum(optimiser: torch.optim.Optimizer) -> None:
    """Set the missing momentum of a fused SGD to 0, from which its first step continues as without momentum.

    PyTorch 2.13 does not initialise this memory if GradScaler skips the first step, which is usual with fp16.
    """
    if not isinstance(optimiser, torch.optim.SGD):
        return
    for group in optimiser.param_groups:
        if group["fused"] and group["momentum"]:
            for parameter in group["params"]:
                if optimiser.state[parameter].get("momentum_buffer") is None:
                    optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
