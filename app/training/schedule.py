"""Learning-rate schedule: a pure function of the iteration."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Schedule(BaseModel):
    """Length of the training and learning rate over time.

    `step` multiplies the rate by `factor` at each of `milestones`, which are epochs and may be fractions (the ArcFace
    paper divides by 10). `polynomial` decays to 0 as (1 - t) ** power. Before that, the rate rises linearly over
    `warm_up` epochs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(20, gt=0, description="Passes over all photos.")
    batch_size: int = Field(128, gt=0, description="Photos per iteration in each process.")
    learning_rate: float = Field(0.1, gt=0, description="Highest learning rate.")
    kind: Literal["polynomial", "step", "constant"] = Field("polynomial", description="Shape of the decay.")
    power: float = Field(2.0, gt=0, description="Exponent of the polynomial decay.")
    milestones: tuple[float, ...] = Field((10, 14, 18), description="Epochs at which the rate drops (`step`).")
    factor: float = Field(0.1, gt=0, lt=1, description="Factor of each drop (`step`).")
    warm_up: float = Field(0.0, ge=0, description="Epochs of linear warm-up.")

    def rate(self, iteration: int, iterations: int) -> float:
        """Return the learning rate of an iteration, counted from 0, with `iterations` per epoch."""
        warm, end = self.warm_up * iterations, self.epochs * iterations
        if iteration < warm:
            return self.learning_rate * (iteration + 1) / (warm + 1)
        if self.kind == "step":
            passed = sum(iteration >= milestone * iterations for milestone in self.milestones)
            return self.learning_rate * self.factor**passed
        if self.kind == "constant":
            return self.learning_rate
        share_done = (iteration - warm) / max(end - warm, 1)
        return self.learning_rate * max(0.0, 1 - share_done) ** self.power
