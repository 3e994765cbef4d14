"""The moving average of a network's weights."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(AveragedModel):
    """An exponential moving average of the weights; batch normalisation's statistics are those of the last step.

    AveragedModel copies its counter to the GPU in each update, for which the host waits. Here, the counter stays on the
    host. The values and the saved state are the same.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start with a copy of the model's weights. Args: decay: share of the average that an update keeps."""
        super().__init__(model)
        self._blend = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Blend the weights of the model into the average; the first update copies them."""
        averages, weights = list(self.module.parameters()), list(model.parameters())
        if self.n_averaged == 0:
            for average, weight in zip(averages, weights, strict=True):
                average.copy_(weight)
        else:
            self._blend(averages, weights, self.n_averaged)
        for average, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            average.copy_(buffer)
        self.n_averaged += 1
