"""The learning rate as a function of the iteration. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Schedule(BaseModel):
    """How long is trained, and how fast.

    `step` multiplies the rate by `factor` at each of `milestones` (epochs, fractions allowed; the ArcFace paper divides
    by 10); `polynomial` lets it fall to 0 as (1 - t) ** power. `warm_up` epochs rise to it in equal steps first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(20, gt=0, description="Times that every photo is seen.")
    batch_size: int = Field(128, gt=0, description="Photos of an iteration in each process.")
    learning_rate: float = Field(0.1, gt=0, description="Highest learning rate.")
    kind: Literal["polynomial", "step", "constant"] = Field("polynomial", description="How the rate falls.")
    power: float = Field(2.0, gt=0, description="Of the polynomial.")
    milestones: tuple[float, ...] = Field((10, 14, 18), description="Epochs at which a step is made.")
    factor: float = Field(0.1, gt=0, lt=1, description="Of each step.")
    warm_up: float = Field(0.0, ge=0, description="Epochs over which the rate rises first.")

    def rate(self, iteration: int, iterations: int) -> float:
        """Return the learning rate of an iteration, from 0; `iterations` make up an epoch."""
        warm, end = self.warm_up * iterations, self.epochs * iterations
        if iteration < warm:
            return self.learning_rate * (iteration + 1) / (warm + 1)
        if self.kind == "step":
            passed = sum(iteration >= each * iterations for each in self.milestones)
            return self.learning_rate * self.factor**passed
        if self.kind == "constant":
            return self.learning_rate
        done = (iteration - warm) / max(end - warm, 1)
        return self.learning_rate * max(0.0, 1 - done) ** self.power
