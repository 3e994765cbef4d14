"""Learning-rate scheduler: a pure function of the iteration."""

import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_EPOCHS = 20  # if neither `epochs` nor `iterations` is given


class Schedule(BaseModel):
    """Length of the training and learning rate over time.

    The length is `epochs` or `iterations`, one of them. `unit` is the unit of `milestones` and `warm_up`; epochs may be
    fractions.

    `step` multiplies the rate by `factor` at each of `milestones` (the ArcFace paper divides by 10). `polynomial` falls
    to 0 as (1 - t) ** power, with t from 0 to 1. `cosine` falls to 0 as (1 + cos(pi t)) / 2 (Loshchilov, Hutter:
    "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, without restarts). Before that, the rate rises
    linearly during `warm_up`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int | None = Field(None, gt=0, description="Passes over all photos; 20 without `iterations`.")
    iterations: int | None = Field(None, gt=0, description="Number of iterations, instead of `epochs`.")
    unit: Literal["epochs", "iterations"] = Field("epochs", description="Unit of `milestones` and `warm_up`.")
    batch_size: int = Field(128, gt=0, description="Photos per iteration in each process.")
    learning_rate: float = Field(0.1, gt=0, description="Highest learning rate.")
    kind: Literal["polynomial", "step", "cosine", "constant"] = Field("polynomial", description="Shape of the decay.")
    power: float = Field(2.0, gt=0, description="Exponent of the polynomial decay.")
    milestones: tuple[float, ...] = Field((10, 14, 18), description="Times at which the rate drops (`step`).")
    factor: float = Field(0.1, gt=0, lt=1, description="Factor of each drop (`step`).")
    warm_up: float = Field(0.0, ge=0, description="Time of linear warm-up.")

    @model_validator(mode="before")
    @classmethod
    def _fill_length(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("epochs") is None and values.get("iterations") is None:
            return {**values, "epochs": _EPOCHS}
        return values

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.epochs is not None and self.iterations is not None:
            raise ValueError("give the length as epochs or as iterations, not as both")
        return self

    def total(self, epoch_iterations: int) -> int:
        """Return the number of iterations of the run, given those of an epoch."""
        return self.iterations or (self.epochs or _EPOCHS) * epoch_iterations

    def end(self, epoch_iterations: int) -> float:
        """Return the length of the run in `unit`, given the iterations of an epoch."""
        total = self.total(epoch_iterations)
        return total / epoch_iterations if self.unit == "epochs" else total

    def rate(self, iteration: int, epoch_iterations: int) -> float:
        """Return the learning rate of an iteration, counted from 0, with `epoch_iterations` per epoch."""
        unit = epoch_iterations if self.unit == "epochs" else 1
        warm, end = self.warm_up * unit, self.total(epoch_iterations)
        if iteration < warm:
            return self.learning_rate * (iteration + 1) / (warm + 1)
        if self.kind == "step":
            passed = sum(iteration >= milestone * unit for milestone in self.milestones)
            return self.learning_rate * self.factor**passed
        if self.kind == "constant":
            return self.learning_rate
        share_done = min(1.0, (iteration - warm) / max(end - warm, 1))
        if self.kind == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * share_done)) / 2
        return self.learning_rate * (1 - share_done) ** self.power
